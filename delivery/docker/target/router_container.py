"""The router's container: made where users shall find it, and made anew with all that it knew when that moves."""

import random
from collections.abc import Sequence

from docker import DockerClient
from docker.errors import APIError

from delivery.changes.ledger import environment_labels
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.docker.target.router import Router, find_router
from delivery.docker.target.router_scripts import FILE, FOLDER
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.programs import haproxy, haproxy_values
from delivery.spec.docker_target import DockerTarget

IMAGE = "haproxy:2.6"
# `-S`: the master tells of every process of a router, those too that a reload has replaced (management guide 9.4).
COMMAND = ["haproxy", "-S", f"127.0.0.1:{haproxy_values.MASTER_PORT}", "-f", FILE]
PORTS_TRIED = 5


def ensure_router(
    client: DockerClient, names: EnvironmentNames, target: DockerTarget, home: Home, host: str | None = None
) -> Router:
    """Return the environment's router, running, published where `target` says.

    Raises Misconfigured when the port is taken.
    """
    found = find_router(client, names)
    if found and _is_published(found, target):
        if found.container.status != "running":
            _start(found, names)
        return found
    ports = _choices(target.port, found.port if found else None)
    https: Sequence[int | None] = [None]
    if target.tls:
        https = _choices(target.https_port, found.https_port if found else None)
    files = found.files() if found else None
    image = resolve_base(IMAGE, home=home, host=host).used
    if found:
        found.container.remove(force=True)
    tries = range(max(len(ports), len(https)))
    pairs = [(ports[min(turn, len(ports) - 1)], https[min(turn, len(https) - 1)]) for turn in tries]
    for pair in pairs:
        router = _create(client, names, image, target.bind, pair, files)
        try:
            _start(router, names)
        except Misconfigured:
            router.container.remove(force=True)
            if pair == pairs[-1]:
                raise
        else:
            return router
    raise Misconfigured(f"headway.yaml: environments.{names.environment}.target.port", "no free port was found")


def _is_published(router: Router, target: DockerTarget) -> bool:
    """Whether users find a router where `target` says."""
    plain = target.port in (None, router.port) and target.bind == router.bind
    secure = target.https_port in (None, router.https_port) and bool(target.tls) == (router.https_port is not None)
    return plain and secure


def _choices(said: int | None, before: int | None) -> list[int]:
    """Return the ports to try: the one that is said, else the one so far and free ones."""
    if said:
        return [said]
    return [*([before] if before else []), *random.sample(range(20000, 32000), PORTS_TRIED)][:PORTS_TRIED]


def _create(
    client: DockerClient,
    names: EnvironmentNames,
    image: str,
    bind: str,
    ports: tuple[int, int | None],
    files: bytes | None,
) -> Router:
    published = {haproxy_values.PORT: ports[0]} | ({haproxy_values.TLS_PORT: ports[1]} if ports[1] else {})
    container = client.containers.create(
        image,
        COMMAND,
        name=names.router,
        labels=environment_labels(names.platform, names.app, names.environment, "router"),
        ports={f"{inside}/tcp": (bind, outside) for inside, outside in published.items()},
        network=names.backbone,
        networking_config={names.backbone: client.api.create_endpoint_config(aliases=["router"])},
        restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
    )
    if files:
        container.put_archive(FOLDER.rpartition("/")[0], files)
    else:
        container.put_archive(FOLDER, packed("haproxy.cfg", haproxy.configuration(()).encode()))
        container.put_archive(FOLDER, packed("fence", b"0\n"))
    return Router(client, names, container)


def _start(router: Router, names: EnvironmentNames) -> None:
    try:
        router.container.start()
    except APIError as error:
        reason = str(error.explanation or error)
        if "address already in use" not in reason and "port is already allocated" not in reason:
            raise
        key, port = "port", router.port
        if router.https_port and f":{router.https_port}" in reason:
            key, port = "https_port", router.https_port
        raise Misconfigured(
            f"headway.yaml: environments.{names.environment}.target.{key}",
            f"port {port} is taken by another program or container",
            "a free port, or none: Headway chooses one and keeps it",
            f"change the port, or find who has it: ss -ltnp 'sport = :{port}'",
        ) from error
    router.container.reload()
    router.wait_for_an_answer()
