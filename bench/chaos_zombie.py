"""A process that sleeps through the end of its lease: it wakes up in the middle of a change that others have ended."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import psutil

from bench.chaos_check import look_at
from bench.chaos_kill import Change, instances_of
from bench.chaos_plan import STEPS, Moment
from bench.chaos_platform import ENVIRONMENT, ChaosPlatform, Town, as_json
from delivery.changes.lease import LeaseBook
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.target.router import Router, find_router
from delivery.errors import Rejected
from delivery.programs import haproxy

T = TypeVar("T")
WAIT_SECONDS = 180
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Awakening:
    """What became of a process that was stopped right before an effect, and went on after recovery."""

    moment: str
    slept_seconds: float
    refusal: str
    run_ended: str
    nothing_changed: bool

    @property
    def was_refused(self) -> bool:
        """Whether the fence held."""
        return bool(self.refusal) and self.nothing_changed

    def __str__(self) -> str:
        refused = f"refused: {self.refusal}" if self.refusal else "not refused"
        changed = "nothing changed" if self.nothing_changed else "the place changed"
        return f"stopped at {self.moment}, slept {self.slept_seconds:.1f} s; {refused}; {changed}; {self.run_ended}"


def wake_a_zombie(platform: ChaosPlatform, town: Town, *, expire: bool = False) -> Awakening:
    """Stop a change right before its second shift, let recovery end it, and let the process go on.

    `expire` ends its lease at once, as the time would have.
    """
    change = Change(platform, town)
    change.begin()
    moment = Moment("shift", "intent", 2)
    change.wait(moment, change.before, 0)
    sleeper, began = change.process(), time.monotonic()
    if sleeper is None:
        raise Rejected("the change had ended before its process could be stopped")
    sleeper.send_signal(signal.SIGSTOP)
    try:
        _assert_not_yet(platform, town)
        sequence = change.newest()
        if expire:
            _expire(platform, town)
        _until(lambda: _is_recovered(change, sequence), "recovery did not end the change")
        before = _state(platform, town)
    finally:
        sleeper.send_signal(signal.SIGCONT)
    slept = time.monotonic() - began
    refusal = _until(lambda: _refusal(change, sequence), "the sleeper's effect was never refused")
    _until(lambda: look_at(platform, town, change.run).is_whole, "the place is not whole after the awakening")
    _gone(sleeper)
    return Awakening(
        str(moment), round(slept, 1), refusal, platform.run_state(change.run)[1], _state(platform, town) == before
    )


def _assert_not_yet(platform: ChaosPlatform, town: Town) -> None:
    """Raise Rejected when the effect came before the stop: then there is nothing left to refuse."""
    shares = haproxy.percents(haproxy.weights_in(_router(platform, town).file()))
    if max(shares.values()) != 100 - STEPS[0]:
        raise Rejected(f"the process was stopped after its second shift: {shares}")


def _state(platform: ChaosPlatform, town: Town) -> tuple[object, ...]:
    """Return all that a change could change: instances, the router's file and the sequence it obeys."""
    router = _router(platform, town)
    return sorted(instances_of(platform, town)), router.file(), router.obeyed()


def _router(platform: ChaosPlatform, town: Town) -> Router:
    router = find_router(platform.engine, EnvironmentNames(platform.home.identity, town.name, ENVIRONMENT))
    assert router
    return router


def _is_recovered(change: Change, sequence: int) -> bool:
    """Whether somebody with a later lease withdrew what the sleeper began, and gave the lease back."""
    done = any(change.lines(later, "-withdraw-done.json") for later in change.sequences() if later > sequence)
    lease = as_json(change.platform.home.leases / f"{change.town.name}.{ENVIRONMENT}.json")
    return done and bool(lease) and lease["holder"] is None


def _refusal(change: Change, sequence: int) -> str:
    """Return what the sleeper's journal says of its effect, when it says that it failed."""
    for path in change.lines(sequence, "-shift-failed.json"):
        detail = str((as_json(path) or {}).get("detail", ""))
        if "obeyed lease" in detail:
            return detail
    return ""


def _expire(platform: ChaosPlatform, town: Town) -> None:
    book = LeaseBook(platform.home.leases, lease_seconds=-1)
    lease = book.read(town.name, ENVIRONMENT)
    assert lease.is_held(datetime.now(UTC))
    book.renew(lease)


def _until(condition: Callable[[], T], problem: str) -> T:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Rejected(problem)
        time.sleep(POLL_SECONDS)
    return found


def _gone(process: psutil.Process) -> None:
    psutil.wait_procs([process], timeout=WAIT_SECONDS)
