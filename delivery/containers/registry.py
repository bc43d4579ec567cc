"""The platform's own image registry: a container whose data outlives it."""

import random
import time

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from filelock import FileLock

from delivery.containers.bases import resolve_base
from delivery.containers.client import connect
from delivery.containers.packing import packed
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.model import Model

IMAGE = "registry:2"
START_SECONDS = 15
PORTS_TRIED = 5
# Its own file instead of the image's: a blob cache in memory makes garbage collection break later pushes.
CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: /var/lib/registry}}, delete: {{enabled: true}}}}
http: {{addr: ":{port}"}}
"""


class Registry(Model):
    """A running registry; `address` is the same for the engine and for containers that share its network."""

    address: str
    container: str


def ensure_registry(home: Home, *, preferred_port: int = 5000, host: str | None = None) -> Registry:
    """Return the platform's registry, running and answering; images pushed before are still there.

    The port is the one it had before, else `preferred_port`, else a free one. Raises Rejected with the end of its
    log when it does not answer.
    """
    client = connect(host)
    home.root.mkdir(parents=True, exist_ok=True)
    with FileLock(home.root / "registry.lock"):
        container = _existing(client, home)
        if container is None or _start_problem(container):
            container = _create(client, home, preferred_port if container is None else _port(container), host)
        _wait(container)
        return Registry(address=f"127.0.0.1:{_port(container)}", container=str(container.name))


def stop_registry(home: Home, *, host: str | None = None) -> bool:
    """Stop the registry, keeping its images and its port; return whether it ran."""
    container = _existing(connect(host), home)
    if container is None or container.status != "running":
        return False
    container.stop(timeout=5)
    return True


def registry_container(client: DockerClient, home: Home) -> Container:
    """Return the registry's container; NotFound when there is none."""
    return client.containers.get(_name(home))


def _name(home: Home) -> str:
    return f"headway-{home.identity}-registry"


def _existing(client: DockerClient, home: Home) -> Container | None:
    try:
        return registry_container(client, home)
    except NotFound:
        return None


def _port(container: Container) -> int:
    bindings = container.attrs["HostConfig"]["PortBindings"]
    return int(next(iter(bindings.values()))[0]["HostPort"])


def _create(client: DockerClient, home: Home, preferred_port: int, host: str | None) -> Container:
    """Create and start the container on the first port the engine can publish."""
    image = resolve_base(IMAGE, cache=home.cache, host=host).used
    labels = {LABEL_PLATFORM: home.identity, LABEL_ROLE: "registry"}
    client.volumes.create(_name(home), labels=labels)
    for port in [preferred_port, *random.sample(range(20000, 32000), PORTS_TRIED)]:
        if old := _existing(client, home):
            old.remove(force=True)
        container = client.containers.create(
            image,
            name=_name(home),
            labels=labels,
            ports={f"{port}/tcp": ("127.0.0.1", port)},
            volumes={_name(home): {"bind": "/var/lib/registry", "mode": "rw"}},
            restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        )
        container.put_archive("/", packed("etc/docker/registry/config.yml", CONFIGURATION.format(port=port).encode()))
        problem = _start_problem(container)
        if not problem:
            return container
    container.remove(force=True)
    raise Misconfigured(
        "the registry", f"does not start on port {preferred_port} nor on {PORTS_TRIED} others: {problem}"
    )


def _start_problem(container: Container) -> str:
    """Start it; return why it does not start, which is a port that is taken more often than not."""
    try:
        container.start()
    except APIError as error:
        return str(error.explanation or error)
    container.reload()
    return ""


def _wait(container: Container) -> None:
    """Return when it answers; asked from inside, because the engine's loopback may be another machine's."""
    deadline = time.monotonic() + START_SECONDS
    while not _answers(container):
        container.reload()
        if container.status != "running" or time.monotonic() > deadline:
            log = container.logs(tail=10).decode(errors="replace")
            raise Rejected(f"the registry does not answer; the end of its log:\n{log}")
        time.sleep(0.1)


def _answers(container: Container) -> bool:
    probe = ["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{_port(container)}/v2/"]
    try:
        return bool(container.exec_run(probe).exit_code == 0)
    except APIError:  # it ended
        return False
