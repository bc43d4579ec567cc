"""The faults a new release can have, and one trial: release it under load, let it fail, see what users saw."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import URLError
from urllib.request import urlopen

from docker.errors import APIError
from docker.models.containers import Container

from bench.ending import Ending
from bench.load import LoadProcess

SETTLE_SECONDS = 0.5  # between the moment a share is reached and the fault, and before and after the release
FAULT_SECONDS = 10.0  # how long a fault is looked at that nobody ended
LOOK_SECONDS = 0.01
READS = 10
TOLD_FAILURES = 20
Command = Callable[[Sequence[Container]], None]


class Shares(Protocol):
    """What share of new requests goes to the new release, over time."""

    def now(self) -> float:
        """Return percent."""
        ...

    def began(self) -> float | None:
        """Return when it got its first request."""
        ...

    def ended(self) -> float | None:
        """Return when it stopped getting any, for good; none when it still does or never did."""
        ...


class Side(Protocol):
    """One way to release; a release is named by the kind of its image and a number."""

    name: str
    instances: int

    def prepare(self, kind: str, number: int) -> Any:
        """Return a release that was never released before."""
        ...

    def put_live(self, release: Any) -> Ending:
        """Release it, and return how that ended."""
        ...

    def containers(self, release: Any) -> list[Container]:
        """Return the containers of a release."""
        ...

    def things(self) -> set[str]:
        """Return the names of everything that stands."""
        ...

    def shares(self) -> AbstractContextManager[Shares]:
        """Watch the share of the next release."""
        ...

    @property
    def url(self) -> str:
        """Where users ask."""
        ...

    @property
    def has_verdict(self) -> bool:
        """Whether it looks at a release after it is live."""
        ...


@dataclass(frozen=True)
class Fault:
    """What is wrong with a release: its image, and what is done to it once it gets `at` percent of new requests.

    With 0 percent it is done as soon as its instances run; without a command the image is at fault by itself.
    """

    name: str
    kind: str
    at: int = 0
    command: Command | None = None
    instances: int = 1  # fewer cannot have it


def _tell(containers: Sequence[Container]) -> None:
    for container in containers:
        container.kill("SIGUSR1")


def _kill(containers: Sequence[Container]) -> None:
    for container in containers:
        container.kill()


def _tell_one_of_two(containers: Sequence[Container]) -> None:
    for number, container in enumerate(containers):
        container.kill("SIGUSR1" if number % 2 else "SIGUSR2")


NONE = Fault("none: a good release", "good", 100)
FAULTS = (
    NONE,
    Fault("never healthy", "sick"),
    Fault("health lost at 50 %", "loses-health", 50, _tell),
    Fault("killed at 50 %", "dies", 50, _kill),
    Fault("500s, health check good", "failing", 1),
    Fault("latency × 5", "slow", 1),
    Fault("wrong version on all", "liar"),
    Fault("wrong version on half", "half-liar", 0, _tell_one_of_two, 2),
    Fault("crash loop after 100 %", "crash-loop", 100, _tell),
)


@dataclass(frozen=True)
class Trial:
    """What came of one release with a fault; times in seconds."""

    outcome: str
    reason: str
    caught: bool
    acted: bool
    back: bool
    got_traffic: bool
    back_seconds: float | None
    answered_seconds: float | None
    withdrawn_seconds: float | None
    requests: int
    failed_idempotent: int
    failed_other: int
    closed: int
    failures: tuple[str, ...]
    leftovers: tuple[str, ...]


class Hand:
    """Does to a release what its fault says, at its time, from a thread beside the release."""

    def __init__(
        self, side: Side, fault: Fault, release: Any, shares: Shares, settle_seconds: float = SETTLE_SECONDS
    ) -> None:
        self.side, self.fault, self.release, self.shares = side, fault, release, shares
        self.settle_seconds = settle_seconds
        self.began: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def acted(self, seconds: float) -> bool:
        """Wait until it did what it should, for so long at most; return whether it did."""
        self._thread.join(seconds)
        return self.began is not None

    def end(self) -> None:
        """Wait no longer for a moment that will not come."""
        self._over.set()
        self._thread.join(30)

    def _work(self) -> None:
        due = self._is_running if self.fault.at == 0 else lambda: self.shares.now() >= self.fault.at
        while not due():
            if self._over.wait(LOOK_SECONDS):
                return
        if self.fault.command is None:
            self.began = self.shares.began() if self.fault.at else time.time()
            return
        if self.fault.at and self._over.wait(self.settle_seconds):
            return
        containers = self.side.containers(self.release)
        if containers:
            self.began = time.time()
            self.fault.command(containers)

    def _is_running(self) -> bool:
        found = self.side.containers(self.release)
        try:
            return len(found) >= self.side.instances and all(b"serving" in one.logs() for one in found)
        except APIError:  # it is just being created
            return False


def run_trial(side: Side, fault: Fault, release: Any, *, live: int, number: int) -> Trial:
    """Release under load what is at fault, and return what users saw.

    `live` and `number` are what the release before and the new one answer with.
    """
    before = side.things()
    with side.shares() as shares, LoadProcess(side.url) as load:
        time.sleep(SETTLE_SECONDS)
        hand = Hand(side, fault, release, shares)
        try:
            ending = side.put_live(release)
            if ending.went_live and not side.has_verdict:
                time.sleep(max(0.0, (hand.began or time.time()) + FAULT_SECONDS - time.time()))
        finally:
            hand.end()
        time.sleep(SETTLE_SECONDS)
    leftovers = () if ending.went_live else tuple(sorted(side.things() - before))
    last = load.counts["answered"].get(str(number), {}).get("last")
    is_back = shares.now() == 0 and all(read_version(side.url) == str(live) for _ in range(READS))
    return _told(ending, hand, load.counts, last, is_back=is_back, leftovers=leftovers)


def _told(
    ending: Ending,
    hand: Hand,
    counts: Mapping[str, Any],
    last: float | None,
    *,
    is_back: bool,
    leftovers: tuple[str, ...],
) -> Trial:
    kinds, began, gone = counts["kinds"].values(), hand.began, hand.shares.ended()
    withdrawn = is_back and not ending.went_live
    return Trial(
        outcome=ending.outcome,
        reason=ending.reason,
        caught=ending.was_caught,
        acted=began is not None,
        back=is_back,
        got_traffic=hand.shares.began() is not None,
        back_seconds=gone - began if withdrawn and gone and began else None,
        answered_seconds=max(0.0, last - began) if last and began else None,
        withdrawn_seconds=ending.ended - began if withdrawn and began else None,
        requests=sum(kind["requests"] for kind in kinds),
        failed_idempotent=sum(kind["failed"] for kind in kinds if kind["idempotent"]),
        failed_other=sum(kind["failed"] for kind in kinds if not kind["idempotent"]),
        closed=sum(kind["closed"] for kind in kinds),
        failures=tuple(_line(failure, began) for failure in counts["failures"][:TOLD_FAILURES]),
        leftovers=leftovers,
    )


def _line(failure: Mapping[str, Any], began: float | None) -> str:
    after = f"{failure['at'] - began:+.2f} s" if began else "before the fault"
    return f"{after}: {failure['kind']}: {failure['how']} after {failure['seconds']:.2f} s"


def read_version(url: str) -> str:
    """Return the number of the release that answers, or nothing when none does."""
    try:
        with urlopen(url, timeout=5) as answer:
            return str(answer.headers["x-release"])
    except (URLError, OSError, HTTPException):
        return ""
