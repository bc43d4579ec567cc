"""Send traffic back at once when a release is at fault beyond doubt, whatever the delivery is doing just then.

A guard stands from before the first shift until the release is settled or withdrawn. Watches judge by statistics, in
their time; a guard needs none: a container that died, a health check that fails twice, a burst of failed requests.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from delivery.errors import ReleaseUnhealthy
from delivery.ports.observation import Fallback, SlotCounts
from delivery.traffic.verdict import burst, faults, which

BLIND_SECONDS = 30.0  # a router or an engine that restarts is back before
BURST_SECONDS = (1.0, 10.0)  # the second window is for applications with few users


class Sentinel(Protocol):
    """Looks at one kind of fault until it is told to stop."""

    def watch(self, guard: "Guard") -> None:
        """Call `guard.alarm` on a fault; return when `guard.stopped` is set."""
        ...

    def close(self) -> None:
        """Wake up, so that `watch` returns soon."""
        ...


class Guard:
    """Sentinels over one release, each in a thread of its own; the first alarm calls `fallback`: traffic goes back."""

    def __init__(self, fallback: Callable[[], None]) -> None:
        self.stopped = threading.Event()
        self._fallback = fallback
        self._woken, self._lock = threading.Event(), threading.Lock()
        self._sentinels: Sequence[Sentinel] = ()
        self._threads: list[threading.Thread] = []
        self.fallback: Fallback | None = None

    def start(self, sentinels: Sequence[Sentinel]) -> None:
        """Post the sentinels."""
        self._sentinels = sentinels
        for sentinel in sentinels:
            thread = threading.Thread(target=self._post, args=(sentinel,), name="sentinel", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _post(self, sentinel: Sentinel) -> None:
        """Let a sentinel watch; one that ends before it is told to is a fault, for nobody would see the next one."""
        why = "it ended by itself"
        try:
            sentinel.watch(self)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        self.alarm(f"the release is watched no longer: {type(sentinel).__name__} died ({why})")

    @property
    def fault(self) -> str:
        """Why traffic went back, or nothing."""
        with self._lock:
            return self.fallback.reason if self.fallback else ""

    def raise_fault(self) -> None:
        """Raise ReleaseUnhealthy when traffic went back."""
        if fault := self.fault:
            raise ReleaseUnhealthy(fault)

    @contextmanager
    def unless_at_fault(self) -> Iterator[None]:
        """Keep alarms waiting while traffic is sent to the release; ReleaseUnhealthy when there was one before."""
        with self._lock:
            if self.fallback:
                raise ReleaseUnhealthy(self.fallback.reason)
            yield

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until there is an alarm or this is closed; return whether it was not for the whole time."""
        return self._woken.wait(seconds)

    def alarm(self, reason: str, first_sign: datetime | None = None, details: Callable[[], str] = str) -> None:
        """Put traffic back and remember why; `details` are asked after that. Later alarms change nothing."""
        now = datetime.now(UTC)
        with self._lock:
            if self.fallback or self.stopped.is_set():
                return
            problem = ""
            try:
                self._fallback()
            except Exception as error:  # the delivery hears of the fault and withdraws by itself
                problem = f" (traffic was not put back at once: {error})"
            back = None if problem else datetime.now(UTC)
            text = f"{reason}{details()}{problem}"
            self.fallback = Fallback(reason=text, first_sign=first_sign or now, traffic_back=back)
        self._woken.set()

    def close(self) -> None:
        """Withdraw the sentinels, and wake who waits for an alarm."""
        self.stopped.set()
        self._woken.set()
        for sentinel in self._sentinels:
            sentinel.close()
        for thread in self._threads:
            thread.join(5)


class Sight:
    """How long a sentinel has seen nothing, as with a router that restarts; too long is a fault and no silence."""

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._what, self._now = what, now
        self._blind_since: float | None = None

    def clear(self) -> None:
        """Note that there was an answer."""
        self._blind_since = None

    def blind(self, guard: Guard, why: object) -> None:
        """Note that there was none; raise an alarm when that has lasted for BLIND_SECONDS."""
        now = self._now()
        self._blind_since = now if self._blind_since is None else self._blind_since
        if now - self._blind_since >= BLIND_SECONDS:
            guard.alarm(f"the release is watched no longer: {self._what} is silent for {BLIND_SECONDS:g} s ({why})")


class Burst:
    """Whether users' requests to a slot fail in a burst, by counters that are read again and again."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, SlotCounts, SlotCounts]] = deque()

    def add(self, now: float, live: SlotCounts, baseline: SlotCounts) -> str:
        """Take the counters as they are at `now`, in seconds; return what is wrong, or nothing."""
        self._seen.append((now, live, baseline))
        while len(self._seen) > 2 and self._seen[1][0] <= now - max(BURST_SECONDS):
            self._seen.popleft()
        for seconds in BURST_SECONDS:
            before = next((seen for seen in self._seen if seen[0] >= now - seconds), self._seen[-1])
            own, others = live.minus(before[1]), baseline.minus(before[2])
            if burst(own.answers, own.faults, others.answers, others.faults):
                return f"{faults(own)} within {seconds:g} s{which(own)}"
        return ""
