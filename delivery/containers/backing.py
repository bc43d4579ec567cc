"""Backing services of an environment (cache, broker): kept across releases, made anew when their file changes."""

from docker import DockerClient
from docker.errors import NotFound

from delivery.app import App, Backing
from delivery.containers.bases import resolve_base
from delivery.containers.names import EnvironmentNames
from delivery.home import Home
from delivery.ledger import LABEL_SERVICE_FILE, environment_labels
from delivery.release import hash_of

ROLE = "backing"


def ensure_backing(client: DockerClient, names: EnvironmentNames, app: App, home: Home, host: str | None) -> None:
    """Make sure every backing service runs as the file says; its volume outlives its container."""
    for name in app.start_order():
        if name in app.backing:
            image = resolve_base(app.backing[name].image, cache=home.cache, host=host, stand_ins=app.stand_ins).used
            _ensure(client, names, name, app.backing[name], image)


def _ensure(client: DockerClient, names: EnvironmentNames, name: str, backing: Backing, image: str) -> None:
    file = hash_of(backing.model_dump())[:12]
    try:
        found = client.containers.get(names.backing(name))
    except NotFound:
        pass
    else:
        if found.labels.get(LABEL_SERVICE_FILE) == file:
            if found.status != "running":
                found.start()
            return
        found.stop()
        found.remove(force=True)
    labels = environment_labels(names.platform, names.app, names.environment, ROLE)
    volumes: dict[str, dict[str, str]] = {}
    if backing.volume:
        client.volumes.create(names.backing(name), labels=labels)
        volumes = {names.backing(name): {"bind": backing.volume, "mode": "rw"}}
    client.containers.create(
        image,
        backing.command,
        name=names.backing(name),
        labels=labels | {LABEL_SERVICE_FILE: file},
        environment=backing.env,
        volumes=volumes,
        network=names.backbone,
        networking_config={names.backbone: client.api.create_endpoint_config(aliases=[name])},
        restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
    ).start()
