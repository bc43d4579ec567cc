"""Everything an application has on a Docker host: found by its labels, removed for good."""

import contextlib
import re

from docker import DockerClient
from docker.errors import APIError, NotFound

from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.database.database import ROLE as DATABASE
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.sweep import remove_until_gone, things
from delivery.docker.images.carrying import PREFIX
from delivery.docker.images.registry import registry_container
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.docker.target.backing import ROLE as BACKING
from delivery.docker.target.volumes import ROLE as VOLUME
from delivery.errors import Misconfigured, PlaceGone, Rejected
from delivery.home import Home
from delivery.model import NAME_PATTERN
from delivery.ports.belongings import Belonging

REPOSITORIES = "/var/lib/registry/docker/registry/v2/repositories"
SHOWN = 5
REMOVE_SECONDS = 60


def find_belongings(client: DockerClient, names: EnvironmentNames) -> tuple[Belonging, ...]:
    """Return what the environment has on the host, what is kept in volumes first."""
    found = [
        Belonging(kind=kind, name=name, keeps=_kept(names, name, labels[LABEL_ROLE]) if kind == "volume" else "")
        for kind, _, name, labels, _ in things(client, _labels(names))
    ]
    return tuple(sorted(found, key=lambda one: (not one.keeps, one.kind, one.name)))


def remove_belongings(client: DockerClient, names: EnvironmentNames) -> None:
    """Remove all of it; Rejected, with its names, when something stays because something else uses it."""
    if not remove_until_gone(lambda: client, _labels(names), seconds=REMOVE_SECONDS):
        left = [f"{one.kind} {one.name}" for one in find_belongings(client, names)]
        if not left:  # the last of it went in this moment
            return
        raise Rejected(f"{names.environment} of {names.app} is not removed, in use is: {', '.join(left[:SHOWN])}")


def find_environments(home: Home, app: str, host: str | None = None) -> set[str]:
    """Return the environments of `app` of which there is anything on the host."""
    with engine_errors():
        found = things(connect(host), {LABEL_PLATFORM: home.identity, LABEL_APP: app})
        return {labels[LABEL_ENVIRONMENT] for *_, labels, _ in found if LABEL_ENVIRONMENT in labels}


def find_repositories(home: Home, app: str) -> list[str]:
    """Return the application's repositories in the platform's registry."""
    if not re.fullmatch(NAME_PATTERN, app):
        return []
    return [f"{app}/{name}" for name in _in_registry(home, ["ls", f"{REPOSITORIES}/{app}"]).split()]


def remove_images(home: Home, app: str, address: str) -> None:
    """Remove the application's repositories from the registry at `address`, and its images from the engine.

    Layers that others may share stay in the registry.
    """
    if not re.fullmatch(NAME_PATTERN, app):
        return
    _in_registry(home, ["rm", "-rf", f"{REPOSITORIES}/{app}"])
    with engine_errors():
        client = connect()
        # Not as objects: the SDK asks for each image again, and somebody may have removed one by then.
        for image in client.api.images():
            for name in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
                if name.startswith(f"{address}/{app}/"):
                    with contextlib.suppress(APIError):  # something else runs it, or its other name went first
                        client.images.remove(name)


def remove_carried(app: str, host: str) -> None:
    """Remove the application's images from the engine of another machine that they were carried to."""
    with engine_errors(), contextlib.suppress(Misconfigured, PlaceGone):  # a machine that is gone has nothing
        client = connect(host)
        for image in client.api.images():
            for name in image["RepoTags"] or ():
                if name.startswith(f"{PREFIX}/{app}/"):
                    with contextlib.suppress(APIError):
                        client.images.remove(name)


def _in_registry(home: Home, argv: list[str]) -> str:
    """Return what a command prints in the registry's container; nothing when it fails, or there is no registry."""
    with engine_errors(), contextlib.suppress(NotFound):
        ended = registry_container(connect(), home).exec_run(argv)
        return ended.output.decode(errors="replace") if ended.exit_code == 0 else ""  # type: ignore[union-attr]
    return ""


def _labels(names: EnvironmentNames) -> dict[str, str]:
    return {LABEL_PLATFORM: names.platform, LABEL_APP: names.app, LABEL_ENVIRONMENT: names.environment}


def _kept(names: EnvironmentNames, volume: str, role: str) -> str:
    name = volume.removeprefix(names.backbone)[1:]
    own = {DATABASE: "the database", BACKING: f"data of {name}", VOLUME: f"volume {name} of the services"}
    return own.get(role, f"data of the {role}")
