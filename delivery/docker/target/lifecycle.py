"""Everything the environments of a platform run on the Docker host: stopped, started again, removed."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from pydantic import Field

from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.database.database import ROLE as DATABASE
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.home import Home
from delivery.model import Model

# What the others need first (an archive shares the network of its database); the router last, so that it finds what it
# routes to.
START_ORDER = ("database", "archive", "backing", "instance", "router")
STOP_SECONDS = 20
COUNTED_FILES = 20_000
NOT_STARTED = "cannot be started"
LOOK_SECONDS = 5  # whoever looks this often waits no longer for an engine that hangs

_log = logging.getLogger("headway.platform")


class ExitedContainer(Model):
    """A container that shall run for as long as the platform does, and has exited."""

    id: str
    name: str
    app: str
    environment: str | None


class KeptVolume(Model):
    """A volume of an environment, and what is lost with it."""

    name: str
    app: str
    environment: str
    keeps: str
    size_bytes: int | None = Field(None, description="none: not to be counted from here")
    host: str | None = Field(None, description="the engine of another machine that it is on")


def pause_environments(home: Home, host: str | None = None) -> list[str]:
    """Stop all environments and return the names of those that ran; their state stays."""
    with engine_errors():
        running = [one for one in _containers(connect(host), home) if one.status in ("running", "restarting")]
        for container in reversed(running):
            with _unless_removed(container):
                container.stop(timeout=STOP_SECONDS)
    return _names(running)


def resume_environments(
    home: Home, host: str | None = None, *, tell: Callable[[str], object] = _log.warning
) -> list[str]:
    """Start what was stopped and return the names of the environments that were.

    A container that cannot be started keeps no other from it: `tell` is told which one, of which environment, and why.
    """
    with engine_errors():
        client = connect(host)
        stopped = [one for one in _containers(client, home) if one.status in ("exited", "created")]
        for container in stopped:
            if reason := _start(client, str(container.id)):
                [name] = _names([container])
                tell(f"{container.name} ({name}) {NOT_STARTED}: {reason}")
    return _names(stopped)


def find_exited(home: Home, host: str | None = None) -> list[ExitedContainer]:
    """Return what has ended of the environments; what the engine is about to start again is not."""
    filters = {"label": f"{LABEL_PLATFORM}={home.identity}", "status": "exited"}
    with engine_errors():
        ended = _watcher(host).api.containers(all=True, filters=filters)
    exited = sorted(filter(_shall_run, ended), key=lambda one: _rank(one["Labels"][LABEL_ROLE]))
    return [
        ExitedContainer(
            id=one["Id"],
            name=one["Names"][0].lstrip("/"),
            app=one["Labels"].get(LABEL_APP, ""),
            environment=one["Labels"].get(LABEL_ENVIRONMENT),
        )
        for one in exited
    ]


def start_exited(exited: Iterable[ExitedContainer], host: str | None = None) -> dict[str, str]:
    """Start what had ended, and return id → reason of what cannot be; what was removed meanwhile is not missed."""
    with engine_errors():
        client = _watcher(host)
        reasons = {one.id: _start(client, one.id) for one in exited}
    return {identity: reason for identity, reason in reasons.items() if reason}


def last_reason(exited: ExitedContainer, host: str | None = None) -> str:
    """Return what the engine says of why it does not run: why it could not be started, or how it ended."""
    with engine_errors():
        try:
            state = _watcher(host).api.inspect_container(exited.id)["State"]
        except NotFound:
            return "it is just removed"
    return _one_line(state.get("Error") or f"ended with exit code {state['ExitCode']}")


def find_volumes(home: Home, host: str | None = None) -> list[KeptVolume]:
    """Return the volumes of all environments, databases first."""
    with engine_errors():
        volumes = connect(host).volumes.list(filters=_filter(home))
    found = [
        KeptVolume(
            name=str(volume.name),
            app=labels[LABEL_APP],
            environment=labels[LABEL_ENVIRONMENT],
            keeps=_keeps(str(volume.name), labels),
            size_bytes=None if host else _size(Path(volume.attrs.get("Mountpoint") or "")),
            host=host,
        )
        for volume in volumes
        for labels in [volume.attrs["Labels"]]
    ]
    return sorted(found, key=lambda one: (one.keeps != "the database", one.app, one.environment, one.name))


def _keeps(volume: str, labels: Mapping[str, str]) -> str:
    if labels.get(LABEL_ROLE) == DATABASE:
        return "the database"
    names = EnvironmentNames(labels[LABEL_PLATFORM], labels[LABEL_APP], labels[LABEL_ENVIRONMENT])
    return f"data of {volume.removeprefix(f'{names.backbone}-')}"


def _size(folder: Path) -> int | None:
    """Return what is in a folder of this machine, unless that is much to count or not for this user to see."""
    total = counted = 0
    try:
        for place, _, files in os.walk(folder, onerror=_raise):
            counted += len(files)
            if counted > COUNTED_FILES:
                return None
            total += sum(os.lstat(os.path.join(place, name)).st_blocks * 512 for name in files)
    except OSError:
        return None
    return total


def _raise(error: OSError) -> None:
    raise error


def purge_environments(home: Home, host: str | None = None) -> list[str]:
    """Remove all environments with their databases, and return their names."""
    client = connect(host)
    with engine_errors():
        found = _containers(client, home)
        for container in reversed(found):
            with _unless_removed(container):
                container.remove(force=True, v=True)
        for network in client.networks.list(filters=_filter(home)):
            network.remove()
        for volume in client.volumes.list(filters=_filter(home)):
            volume.remove(force=True)
    return _names(found)


def _start(client: DockerClient, identity: str) -> str:
    """Start a container and return why it cannot be started; nothing when it runs, or when somebody removes it."""
    try:
        client.api.start(identity)
    except APIError as error:
        return "" if _is_removed(client, identity) else _one_line(str(error.explanation or error))
    except requests.ReadTimeout:
        return "the engine gave no answer when it was to start it"
    return ""


def _is_removed(client: DockerClient, identity: str) -> bool:
    try:
        return client.api.inspect_container(identity)["State"]["Status"] in ("removing", "dead")
    except NotFound:
        return True


@contextmanager
def _unless_removed(container: Container) -> Iterator[None]:
    """Let pass what the engine refuses because somebody else removes the container."""
    try:
        yield
    except APIError:
        if not _is_removed(_client_of(container), str(container.id)):
            raise


def _client_of(container: Container) -> DockerClient:
    assert container.client
    return container.client


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _containers(client: DockerClient, home: Home) -> list[Container]:
    found = client.containers.list(all=True, filters=_filter(home), ignore_removed=True)
    return sorted((one for one in found if one.labels.get(LABEL_ROLE) in START_ORDER), key=_order)


def _order(container: Container) -> tuple[int, str]:
    return _rank(container.labels[LABEL_ROLE]), str(container.name)


def _shall_run(container: dict[str, Any]) -> bool:
    labels = container["Labels"]
    return labels.get(LABEL_ROLE) in START_ORDER and LABEL_ENVIRONMENT in labels


def _rank(role: str) -> int:
    return START_ORDER.index(role) if role in START_ORDER else 0


def _watcher(host: str | None) -> DockerClient:
    return connect(host, timeout_seconds=LOOK_SECONDS, patience_seconds=0)


def _filter(home: Home) -> dict[str, Any]:
    return {"label": [f"{LABEL_PLATFORM}={home.identity}", LABEL_ENVIRONMENT]}


def _names(containers: list[Container]) -> list[str]:
    return sorted({f"{one.labels[LABEL_ENVIRONMENT]} of {one.labels[LABEL_APP]}" for one in containers})
