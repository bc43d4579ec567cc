"""A slot that traffic has left: what is in flight ends in its own time, and nothing new comes."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing

from delivery.docker.target.router import Router
from delivery.docker.target.router_runtime import Runtime
from delivery.errors import Rejected, Transient
from delivery.ports.observation import EndedConnections
from delivery.ports.slots import Colour
from delivery.programs.haproxy_runtime import ServerStat

IDLE_SECONDS = 30.0  # for proof that a slot gets no requests any more
STILL_SECONDS = 0.5
BETWEEN_SECONDS = 0.05


def drain(router: Router, colour: Colour, seconds: Mapping[str, int]) -> list[EndedConnections]:
    """Return when nothing is in flight, or what still is after the `seconds` of its service."""
    began = time.monotonic()
    with closing(router.workers()) as workers:
        while True:
            open_now = Counter[str]()
            for one in _of(workers, colour):
                open_now[one.service] += one.sessions
            passed = time.monotonic() - began
            if not any(open_now[service] and passed < limit for service, limit in seconds.items()):
                break
            time.sleep(BETWEEN_SECONDS)
    return [
        EndedConnections(service=service, connections=open_now[service], seconds=limit)
        for service, limit in seconds.items()
        if open_now[service]
    ]


def prove_idle(router: Router, colour: Colour) -> None:
    """Return when the slot gets no more requests; Rejected when it still does after a while."""
    deadline = time.monotonic() + IDLE_SECONDS
    with closing(router.workers()) as workers:
        while True:
            before = _requests(workers, colour)
            time.sleep(STILL_SECONDS)
            if _requests(workers, colour) <= before:  # less: a process with its last connection has ended
                return
            if time.monotonic() > deadline:
                raise Rejected(f"the {colour} slot still gets requests; it is not removed")


def _requests(runtime: Runtime, colour: Colour) -> int:
    return sum(one.requests for one in _of(runtime, colour))


def _of(runtime: Runtime, colour: Colour) -> list[ServerStat]:
    """Return the servers of a slot; a connection that a reload or the end of a process broke is opened again."""
    try:
        found = runtime.stat()
    except Transient:
        found = runtime.stat()
    return [one for one in found if one.colour == colour]
