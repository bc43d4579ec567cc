"""What others on the machine try on a platform that is up, and the words with which they are refused."""

import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from delivery.docker.engine.client import connect
from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from tests.end_to_end.project import HANGS_SECONDS, Project

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end"),
    pytest.mark.timeout(HANGS_SECONDS),
]
NOBODY = 65534
SECONDS = 5


def told_to_nobody(attempt: Callable[[], object]) -> str:
    """Return what another user of this machine, who may do nothing else here, is told."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.close(read)
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            said = str(attempt())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def asked(method: str, url: str, **more: object) -> str:
    answer = httpx.request(method, url, timeout=SECONDS, trust_env=False, **more)  # type: ignore[arg-type]
    return f"{answer.status_code} {' '.join(answer.text.split())[:120]}"


def engine() -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/var/run/docker.sock")
    return "200 it answers"


def told_to_a_container(url: str) -> str:
    """Return what a container on the engine's default network is told."""
    client = connect()
    image = next(tag for one in client.images.list() for tag in one.tags if tag.startswith("headway-base/busybox:"))
    argv = ["timeout", str(SECONDS), "wget", "-O", "-", url]
    container = client.containers.run(image, argv, detach=True)
    container.wait()
    said = container.logs().decode(errors="replace").strip().splitlines()
    container.remove()
    client.close()
    return said[-1] if said else "no answer"


def test_other_users_and_containers_are_refused(
    greeter: Project, record_property: Callable[[str, object], None]
) -> None:
    home, registry = Home(greeter.home), ensure_registry(Home(greeter.home)).address
    api, port = f"http://127.0.0.1:{greeter.server_port}/api", registry.partition(":")[2]
    guess = {"auth": ("headway", "guessed")}
    for parent in (home.root, *home.root.parents):  # the platform's own mode is what counts here, not a test folder's
        if parent != home.root and parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    tries: dict[str, Callable[[], object]] = {
        "another user reads the server's key": lambda: home.server_key.read_text(),
        "another user reads the registry's key": lambda: home.registry_key.read_text(),
        "another user lists the home": lambda: os.listdir(home.root),
        "another user reads secrets": lambda: asked("POST", f"{api}/block_documents/filter", json={}),
        "another user guesses a key": lambda: asked("POST", f"{api}/block_documents/filter", json={}, **guess),
        "another user approves a run": lambda: asked("POST", f"{api}/flow_runs/{'0' * 32}/resume", json={}),
        "another user reads job variables": lambda: asked("POST", f"{api}/deployments/filter", json={}),
        "another user lists the registry": lambda: asked("GET", f"http://{registry}/v2/_catalog"),
        "another user pushes": lambda: asked("POST", f"http://{registry}/v2/hello/web/blobs/uploads/", **guess),
        "another user deletes": lambda: asked("DELETE", f"http://{registry}/v2/hello/web/manifests/sha256:{'0' * 64}"),
        "another user asks the engine": engine,
    }
    told = {what: told_to_nobody(attempt) for what, attempt in tries.items()}
    from_containers = {
        f"a container asks the {what} at {address}": told_to_a_container(f"http://{address}:{number}/{path}")
        for address in ("127.0.0.1", "172.17.0.1")
        for what, number, path in (("server", greeter.server_port, "api/admin/version"), ("registry", port, "v2/"))
    }

    told |= from_containers
    print("\n" + "\n".join(f"| {what} | {said} |" for what, said in told.items()), file=sys.stderr)
    record_property("told", json.dumps(told))
    for what, said in told.items():
        assert "200 " not in said, (what, said)
        if what in from_containers:  # another program of the machine may listen there: ours would ask for its key
            assert not re.search("401|403", said), (what, said)
        else:
            assert re.search("PermissionError|401|403", said), (what, said)
