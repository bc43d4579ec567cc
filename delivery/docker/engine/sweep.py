"""Removing what has no living owner."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import requests
from docker import DockerClient
from docker.errors import APIError, NotFound

from delivery.changes.ledger import LABEL_EXPIRES, LABEL_PLATFORM, LABEL_ROLE, LABEL_RUN
from delivery.docker.engine.client import connect
from delivery.ports.orphans import Orphan
from delivery.waiting import until

Kind = Literal["container", "network", "volume"]
Thing = tuple[Kind, str, str, dict[str, str], datetime]
GONE_PASSES = 3
PASSES_APART_SECONDS = 0.5
REMOVE_SECONDS = 60


def find_orphans(
    platform: str,
    *,
    living: Collection[str] | None = None,
    older_than: timedelta = timedelta(minutes=2),
    host: str | None = None,
) -> list[Orphan]:
    """Return what runs left behind: things past their expiry or, with `living`, of a run that is not in it.

    `older_than` spares what a run created that began after `living` was read. Changes nothing.
    """
    now = datetime.now(UTC)
    orphans: list[Orphan] = []
    for kind, identity, name, labels, created in things(connect(host), {LABEL_PLATFORM: platform}):
        run, expires = labels.get(LABEL_RUN), labels.get(LABEL_EXPIRES)
        if run is None:
            continue  # belongs to an environment
        why = ""
        if expires and datetime.fromisoformat(expires) < now:
            why = f"expired at {expires}"
        elif living is not None and run not in living and created < now - older_than:
            why = f"run {run} does not live"
        if why:
            role = labels.get(LABEL_ROLE, "")
            orphans.append(Orphan(kind=kind, id=identity, name=name, run=run, role=role, why=why))
    return orphans


def sweep(
    platform: str,
    *,
    living: Collection[str] | None = None,
    older_than: timedelta = timedelta(minutes=2),
    host: str | None = None,
) -> list[Orphan]:
    """Remove what `find_orphans` finds and return what was removed."""
    client = connect(host)
    orphans = find_orphans(platform, living=living, older_than=older_than, host=host)
    return [orphan for orphan in orphans if _remove(client, orphan.kind, orphan.id)]


def remove_run(platform: str, run_id: str, *, host: str | None = None) -> None:
    """Remove everything of a run; whoever still waits for one of its containers gets Interrupted.

    The engine refuses to remove what it is just starting: what is found is looked for again, for a minute at most.
    """
    client, labels = connect(host), {LABEL_PLATFORM: platform, LABEL_RUN: run_id}
    until(lambda: not remove_labelled(client, labels), seconds=REMOVE_SECONDS, every=PASSES_APART_SECONDS)


def remove_labelled(client: DockerClient, labels: Mapping[str, str]) -> bool:
    """Remove every container, network and volume with all of `labels`; return whether there was one.

    What the engine is just creating shows up late: `remove_until_gone` looks again.
    """
    found = False
    for kind, identity, *_ in things(client, labels):
        found = True
        _remove(client, kind, identity)
    return found


def remove_until_gone(connected: Callable[[], DockerClient], labels: Mapping[str, str], *, seconds: float = 60) -> bool:
    """Remove again and again until several looks find nothing; return false when time ran out."""
    empty = 0

    def is_gone() -> bool:
        nonlocal empty
        with contextlib.suppress(APIError, requests.RequestException):
            empty = 0 if remove_labelled(connected(), labels) else empty + 1
        return empty >= GONE_PASSES

    return until(is_gone, seconds=seconds, every=PASSES_APART_SECONDS)


def things(client: DockerClient, labels: Mapping[str, str]) -> Iterator[Thing]:
    """Yield kind, id, name, labels and time of creation, containers first: networks and volumes wait for them."""
    filters: dict[str, Any] = {"label": [f"{key}={value}" for key, value in labels.items()]}
    for entry in client.api.containers(all=True, filters=filters):
        created = datetime.fromtimestamp(entry["Created"], UTC)
        yield "container", entry["Id"], entry["Names"][0].lstrip("/"), entry["Labels"], created
    for entry in client.api.networks(filters=filters):
        yield "network", entry["Id"], entry["Name"], entry["Labels"], _moment(entry["Created"])
    for entry in client.api.volumes(filters=filters)["Volumes"] or []:
        yield "volume", entry["Name"], entry["Name"], entry["Labels"], _moment(entry["CreatedAt"])


def _moment(text: str) -> datetime:
    """Read the engine's time, whose fractions have nine digits."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") or ("" if "+" in whole or whole.endswith("Z") else "Z")
    return datetime.fromisoformat(whole + zone)


def _remove(client: DockerClient, kind: str, identity: str) -> bool:
    """Remove one thing; false when something else still uses it or removed it first."""
    with contextlib.suppress(NotFound, APIError):
        match kind:
            case "container":
                client.api.remove_container(identity, force=True, v=True)
            case "network":
                client.api.remove_network(identity)
            case "volume":
                client.api.remove_volume(identity, force=True)
        return True
    return False
