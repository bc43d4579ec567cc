"""The platform's own image registry: a container whose data outlives it."""

import hashlib
import random

import bcrypt
from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from filelock import FileLock

from delivery.changes.ledger import LABEL_KEY, LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.registry_state import (
    AGAIN,
    RegistryRecord,
    answer_of,
    has_volume,
    holder_of,
    port_of,
    read_record,
    registry_key,
    registry_name,
    write_record,
)
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.model import Model
from delivery.waiting import until

IMAGE = "registry:2"
START_SECONDS = 15
HUNG_SECONDS = 8
STOP_SECONDS = 3
PORTS_TRIED = 5
# Its own file instead of the image's: a blob cache in memory makes garbage collection break later pushes.
CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: /var/lib/registry}}, delete: {{enabled: true}}}}
auth: {{htpasswd: {{realm: headway, path: /{passwords}}}}}
http: {{addr: ":{port}"}}
"""
PASSWORDS = "etc/docker/registry/htpasswd"
ROUNDS = 4  # of bcrypt, for each request; nobody guesses 32 random bytes, however fast that is


class Registry(Model):
    """A running registry; `address` is the same for the engine and for containers that share its network.

    `news` is what people have to know: that images were lost, or that it is elsewhere now.
    """

    address: str
    container: str
    news: tuple[str, ...] = ()


def ensure_registry(
    home: Home, *, preferred_port: int = 5000, host: str | None = None, may_move: bool = True
) -> Registry:
    """Return the platform's registry, running and answering; images pushed before are still there.

    One that hangs is restarted. The port is the one it had before, else `preferred_port`, else a free one. Raises
    Rejected with the end of its log when it does not answer, or when another program has its port and it may not move.
    """
    client = connect(host)
    home.ensure()
    with FileLock(home.root / "registry.lock"):
        before, lost = read_record(home), not has_volume(client, home)
        container = _existing(client, home)
        if container and container.status == "running" and not _comes_up(container, HUNG_SECONDS):
            container.restart(timeout=STOP_SECONDS)
        as_made = container and _is_alone(container) and _takes_key(container, home)
        if container is None or container.status == "paused" or not as_made or _start_problem(container):
            port = port_of(container) if container else before.port if before else preferred_port
            fixed = container is not None or before is not None
            container = _create(client, home, port, host, may_move=may_move or not fixed)
        _wait(container, home)
        record = RegistryRecord(port=port_of(container))
        if record != before:
            write_record(home, record)
        return Registry(address=record.address, container=str(container.name), news=_news(before, record, lost=lost))


def _news(before: RegistryRecord | None, now: RegistryRecord, *, lost: bool) -> tuple[str, ...]:
    if before is None:
        return ()
    gone = f"the registry's images are gone, with its volume: {AGAIN}"
    moved = (
        f"the registry is at {now.address} now, for {holder_of(before.port)} has port {before.port}; "
        "with the images of all releases that it had"
    )
    return tuple(text for text, is_so in ((gone, lost), (moved, before.port != now.port)) if is_so)


def stop_registry(home: Home, *, host: str | None = None) -> bool:
    """Stop the registry, keeping its images and its port; return whether it ran."""
    container = _existing(connect(host), home)
    if container is None or container.status != "running":
        return False
    container.stop(timeout=5)
    return True


def registry_container(client: DockerClient, home: Home) -> Container:
    """Return the registry's container; NotFound when there is none."""
    return client.containers.get(registry_name(home))


def _existing(client: DockerClient, home: Home) -> Container | None:
    try:
        return registry_container(client, home)
    except NotFound:
        return None


def _create(
    client: DockerClient, home: Home, preferred_port: int, host: str | None, *, may_move: bool = True
) -> Container:
    """Create and start the container on the first port the engine can publish, or on this one alone."""
    image = resolve_base(IMAGE, home=home, host=host).used
    labels = {LABEL_PLATFORM: home.identity, LABEL_ROLE: "registry"}
    user, _, password = registry_key(home).get_secret_value().partition(":")
    known = f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()}\n"
    client.volumes.create(registry_name(home), labels=labels)
    if not client.networks.list(names=[f"^{registry_name(home)}$"]):
        client.networks.create(registry_name(home), driver="bridge", labels=labels)
    for port in [preferred_port, *(random.sample(range(20000, 32000), PORTS_TRIED) if may_move else ())]:
        if old := _existing(client, home):
            old.remove(force=True)
        container = client.containers.create(
            image,
            name=registry_name(home),
            labels=labels | {LABEL_KEY: _mark_of(home)},
            network=registry_name(home),
            ports={f"{port}/tcp": ("127.0.0.1", port)},
            volumes={registry_name(home): {"bind": "/var/lib/registry", "mode": "rw"}},
            restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        )
        configuration = CONFIGURATION.format(port=port, passwords=PASSWORDS)
        container.put_archive("/", packed("etc/docker/registry/config.yml", configuration.encode()))
        container.put_archive("/", packed(PASSWORDS, known.encode()))
        problem = _start_problem(container)
        if not problem:
            return container
    container.remove(force=True)
    if not may_move:
        raise Rejected(
            f"the registry does not start on port {preferred_port}, which {holder_of(preferred_port)} has: {problem}"
            "\n  next: end that program; or headway up, which starts the registry on another port"
        )
    raise Misconfigured(
        "the registry", f"does not start on port {preferred_port} nor on {PORTS_TRIED} others: {problem}"
    )


def _is_alone(container: Container) -> bool:
    """Whether it is in a network of its own: on the default bridge, builds and other containers reach it."""
    return list(container.attrs["NetworkSettings"]["Networks"]) == [container.name]


def _takes_key(container: Container, home: Home) -> bool:
    """Whether it asks for the platform's key as it is now: one of before asks for nothing, and a key may be lost."""
    return container.labels.get(LABEL_KEY) == _mark_of(home)


def _mark_of(home: Home) -> str:
    return hashlib.sha256(registry_key(home).get_secret_value().encode()).hexdigest()[:16]


def _start_problem(container: Container) -> str:
    """Start it; return why it does not start, which is a port that is taken more often than not."""
    try:
        container.start()
    except APIError as error:
        return str(error.explanation or error)
    container.reload()
    return ""


def _wait(container: Container, home: Home) -> None:
    """Return when it answers."""
    if _comes_up(container, START_SECONDS):
        return
    log = container.logs(tail=10).decode(errors="replace").strip()
    name = registry_name(home)
    raise Rejected(
        f"the registry does not answer; the end of its log:\n{log}\n"
        f"  next: docker rm -f {name}, then headway up: its images stay in the volume {name}"
    )


def _comes_up(container: Container, seconds: float) -> bool:
    """Return whether it answers, as soon as it does, or when it ended or the time is over."""

    def has_ended() -> bool:
        container.reload()
        return container.status != "running"

    return until(lambda: not answer_of(container), seconds=seconds, every=0.1, unless=has_ended)
