"""How much of its machine a part may use, in the engine's words, and how it is told that it was not enough."""

import math
from typing import Any

import requests
from docker.errors import APIError
from docker.models.containers import Container

from delivery.docker.engine.paths import moment_seconds
from delivery.docker.engine.streams import given_back
from delivery.spec.parts import memory_bytes
from delivery.spec.services import Part

KILLED = 137  # 128 and the number of SIGKILL
# Under load the engine has told 0.2 s after the end of a container that its memory was why; its state then never says.
TOLD_WITHIN_SECONDS = 1


def limits_of(part: Part) -> dict[str, Any]:
    """Return the engine's options for the part's limits."""
    limits: dict[str, Any] = {}
    if part.cpus is not None:
        limits["nano_cpus"] = round(part.cpus * 1e9)
    if part.memory is not None:
        limits["mem_limit"] = memory_bytes(part.memory)
    if part.pids is not None:
        limits["pids_limit"] = part.pids
    return limits


def out_of_memory(container: Container, where: str, part: Part) -> str:
    """Return `, out of memory (key: limit)` when the engine killed something in the container for that, else nothing.

    An instance that is started again has lost this from its state: the engine's events still tell.
    """
    if not ran_out_of_memory(container):
        return ""
    limit = f"{where}.memory: {part.memory}" if part.memory else f"of the machine; {where}.memory sets a limit"
    return f", out of memory ({limit})"


def ran_out_of_memory(container: Container) -> bool:
    """Whether the engine killed something in the container for its memory; waits until it would have told of it."""
    return bool(container.attrs["State"].get("OOMKilled")) or _told(container)


def _told(container: Container) -> bool:
    client = container.client
    assert client is not None
    try:
        # By the engine's own clock: its events of the past end there, and those that are to come are listened for.
        ended = math.ceil(moment_seconds(container.attrs["State"]["FinishedAt"])) + TOLD_WITHIN_SECONDS
        now = max(int(moment_seconds(client.info()["SystemTime"])) + 1, ended)
        created = int(moment_seconds(container.attrs["Created"]))
        filters = {"container": container.id, "event": "oom"}
        with given_back(client.events(since=created, until=now, filters=filters, decode=True)) as events:
            return any(events)
    except (APIError, requests.RequestException, ValueError):
        return False
