"""Backing services of an environment (cache, broker): kept across releases, made anew when file or secrets change."""

from collections.abc import Mapping

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_HIDDEN, LABEL_SERVICE_FILE, environment_labels
from delivery.docker.engine.limits import limits_of
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from delivery.model import hash_of
from delivery.spec.app import App
from delivery.spec.services import Backing

ROLE = "backing"
# Keys that came later: what stands since before them, and does without, stays as it is.
LATER = ("env_file", "secrets", "cpus", "memory", "pids")
Revealed = Mapping[str, Mapping[str, SecretStr]]


def ensure_backing(
    client: DockerClient,
    names: EnvironmentNames,
    app: App,
    home: Home,
    host: str | None,
    secrets: Revealed | None = None,
) -> None:
    """Make sure every backing service runs as the file says, with its `secrets`; its volume outlives its container.

    `secrets` holds variable → value under the key of each part in the file.
    """
    for name in app.start_order():
        if name in app.backing:
            image = resolve_base(app.backing[name].image, home=home, host=host, stand_ins=app.stand_ins).used
            given = {key: value.get_secret_value() for key, value in (secrets or {}).get(f"backing.{name}", {}).items()}
            _ensure(client, names, name, app.backing[name], image, given)


def _ensure(
    client: DockerClient, names: EnvironmentNames, name: str, backing: Backing, image: str, secrets: Mapping[str, str]
) -> None:
    file = _hash(backing)
    try:
        found = client.containers.get(names.backing(name))
    except NotFound:
        pass
    else:
        if found.labels.get(LABEL_SERVICE_FILE) == file and _has(found, secrets):
            if found.status != "running":
                found.start()
            return
        found.stop()
        found.remove(force=True, v=True)
    labels = environment_labels(names.platform, names.app, names.environment, ROLE)
    volumes: dict[str, dict[str, str]] = {}
    if backing.volume:
        client.volumes.create(names.backing(name), labels=labels)
        volumes = {names.backing(name): {"bind": backing.volume, "mode": "rw"}}
    client.containers.create(
        image,
        backing.command,
        name=names.backing(name),
        labels=labels | {LABEL_SERVICE_FILE: file, LABEL_HIDDEN: ",".join(sorted(secrets))},
        environment={**backing.env, **secrets},
        volumes=volumes,
        network=names.backbone,
        networking_config={names.backbone: client.api.create_endpoint_config(aliases=[name])},
        restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        **limits_of(backing),
    ).start()


def _hash(backing: Backing) -> str:
    """Return the hash of what the file says; the env files' variables are in `env`."""
    default = {key for key in LATER if getattr(backing, key) == type(backing).model_fields[key].default}
    return hash_of(backing.model_dump(exclude=default | {"env_file"}))[:12]


def _has(container: Container, secrets: Mapping[str, str]) -> bool:
    """Tell whether the container was made with these secrets: nothing else keeps them, in no form."""
    env = dict(line.partition("=")[::2] for line in container.attrs["Config"]["Env"] or ())
    return all(env.get(variable) == value for variable, value in secrets.items())
