"""What others on the machine try on a platform that is up, and the words with which they are refused."""

import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from delivery.platform.listening import listeners
from delivery.platform.orchestrator import Orchestrator
from delivery.programs.haproxy_values import MASTER_PORT, RUNTIME_PORT
from delivery.waiting import until
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.support.platforms import free_port

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


def told_to_a_container(*argv: str, image: str = "headway-base/busybox:", network: str = "bridge") -> str:
    """Return what a container is told; of the engine's default network, unless another one is named."""
    client = connect()
    found = next(tag for one in client.images.list() for tag in one.tags if tag.startswith(image))
    container = client.containers.run(found, ["timeout", str(SECONDS), *argv], network=network, detach=True)
    container.wait()
    said = container.logs().decode(errors="replace").split()
    container.remove()
    client.close()
    return " ".join(said) if said else "no answer"


def receiver_of(project: Project) -> str:
    """Let a registry tell the platform of images, and return where."""
    moved = project.headway("hooks", "listen", "--port", str(free_port()))
    made = project.headway("hooks", "connect", "registry", "--json")
    assert (moved.returncode, made.returncode) == (0, 0), moved.stderr + made.stderr
    url = str(json.loads(made.stdout)["url"])
    health = f"http://{urlsplit(url).netloc}/health"
    assert until(lambda: answers(health), seconds=60, every=0.2)
    return url


def answers(url: str) -> bool:
    try:
        return asked("GET", url).startswith("200")
    except httpx.TransportError:
        return False


def test_other_users_and_containers_are_refused(
    greeter: Project, record_property: Callable[[str, object], None]
) -> None:
    home, registry = Home(greeter.home), ensure_registry(Home(greeter.home)).address
    api, port = f"http://127.0.0.1:{greeter.server_port}/api", registry.partition(":")[2]
    hooks = receiver_of(greeter)
    guess, forged = {"auth": ("headway", "guessed")}, {"authorization": "Bearer guessed"}
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
        "another user tells the receiver": lambda: asked("POST", hooks, json={}),
        "another user guesses its secret": lambda: asked("POST", hooks, json={}, headers=forged),
        "another user asks the engine": engine,
    }
    told = {what: told_to_nobody(attempt) for what, attempt in tries.items()}
    from_containers = {
        f"a container asks the {what} at {address}": told_to_a_container(
            "wget", "-O", "-", f"http://{address}:{number}/{path}"
        )
        for address in ("127.0.0.1", "172.17.0.1")
        for what, number, path in (
            ("server", greeter.server_port, "api/admin/version"),
            ("registry", port, "v2/"),
            ("receiver", urlsplit(hooks).port, "health"),
        )
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


def test_from_other_containers_nobody_reaches_the_routers_sockets_or_the_database(
    live: Project, greeter: Project, record_property: Callable[[str, object], None]
) -> None:
    """A container of the same environment gets to the database, and is asked for a password there."""
    identity = Home(live.home).identity
    names, others = (EnvironmentNames(identity, app, "production") for app in ("taskmanager", "hello"))
    router, database = (address_of(name, names.backbone) for name in (names.router, names.database))
    runtime, master = str(RUNTIME_PORT), str(MASTER_PORT)
    bare = ["psql", "-w", "-h", database, "-U", "app", "-c", "select 1"]

    told = {
        f"a container of {where} asks {what}": told_to_a_container(*argv, network=network, image=image)
        for where, network in (("the default bridge", "bridge"), ("another application", others.backbone))
        for what, argv, image in (
            ("the router's runtime", ["nc", "-w", "3", router, runtime], "headway-base/busybox:"),
            ("the database", bare, "headway-base/postgres:"),
        )
    }
    inside = {
        "the application asks the router's runtime": told_to_a_container(
            "nc", "-w", "3", router, runtime, network=names.backbone
        ),
        "the application asks the router's master": told_to_a_container(
            "nc", "-w", "3", router, master, network=names.backbone
        ),
    }
    without = told_to_a_container(*bare, image="headway-base/postgres:", network=names.backbone)

    told |= inside
    print("\n" + "\n".join(f"| {what} | {said} |" for what, said in told.items()), file=sys.stderr)
    record_property("told", json.dumps(told))
    for what, said in told.items():
        assert re.search("no answer|timed out|Connection refused|unreachable|Terminated", said), (what, said)
    assert "no password supplied" in without


def address_of(container: str, network: str) -> str:
    """Return the address that a container has in a network."""
    client = connect()
    found = client.containers.get(container).attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    client.close()
    return str(found)


def test_everything_of_a_platform_listens_on_this_machine_alone(live: Project, greeter: Project) -> None:
    receiver_of(greeter)

    found = listeners(Orchestrator(Home(live.home)))

    routers = {f"router of production of {app}" for app in ("taskmanager", "hello")}
    assert {"Prefect server", "registry", "hooks", *routers} <= {one.what for one in found}
    assert [one for one in found if not one.is_local and not one.as_asked] == []
    doctor = json.loads(greeter.headway("doctor", "--json").stdout)
    [row] = [one for one in doctor if one["what"] == "what listens"]
    assert (row["state"], row["found"]) == ("ok", ", ".join(f"{one.what} {one.where}" for one in found))
