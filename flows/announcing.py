"""When a part of a run begins and how it ends, for people who see it elsewhere."""

import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from delivery.errors import HeadwayError, Interrupted, Misconfigured
from delivery.ports.announcements import Progress
from delivery.releases.order import Order
from delivery.report.record import Kind, Outcome
from tasks.announcements import PROOF, announce

P = ParamSpec("P")
R = TypeVar("R")
ENDS: dict[Outcome, tuple[Progress, str]] = {
    "delivered": ("passed", "live"),
    "unchanged": ("passed", "live already, made from the same files"),
    "proven": ("passed", "built, scanned and tested"),
    "rejected": ("refused", "rejected"),
    "withdrawn": ("refused", "withdrawn"),
    "misconfigured": ("broken", "misconfigured"),
    "interrupted": ("broken", "stopped"),
    "failed": ("broken", "failed"),
}


def announced(part: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Announce a phase as it begins, and as it ends."""

    def wrap(phase: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(phase)
        async def carried(*args: P.args, **kwargs: P.kwargs) -> R:
            announce(part, "running")
            try:
                result = await phase(*args, **kwargs)
            except BaseException as error:
                announce(part, _progress(error), str(error) or "stopped")
                raise
            announce(part, "passed")
            return result

        return carried

    return wrap


@contextmanager
def announced_change(order: Order, environment: str) -> Iterator[None]:
    """Announce that an environment is changed, and how that ends where it is not the end of the run."""
    announce(environment, "running", is_environment=True)
    on_the_way = environment != order.environment
    try:
        yield
    except BaseException as error:
        if on_the_way:
            announce(environment, _progress(error), str(error) or "stopped", is_environment=True)
        raise
    if on_the_way:
        announce(environment, "passed", ENDS["delivered"][1], is_environment=True)


def announce_begin(environment: str, kind: Kind) -> None:
    """Announce that the run has begun, as what will become of the environment it is for."""
    part = PROOF if kind == "proof" else environment
    announce(part, "queued", is_environment=part != PROOF)


def announce_end(environment: str, kind: Kind, outcome: Outcome, reason: str) -> None:
    """Announce how the run ended, as what became of the environment it was for."""
    progress, word = ENDS[outcome]
    if outcome == "unchanged" and reason:  # it was not needed any more
        word = "nothing was changed"
    part = PROOF if kind == "proof" else environment
    announce(part, progress, f"{word}: {reason}" if reason else word, is_environment=part != PROOF)


def _progress(error: BaseException) -> Progress:
    """Return what an error says of what was tried: that it was refused, or nothing."""
    is_verdict = isinstance(error, HeadwayError) and not isinstance(error, Misconfigured | Interrupted)
    return "refused" if is_verdict else "broken"
