"""Watch live traffic: read what both slots answered, ask where users ask too little, and judge.

Where the counts come from is `Metrics`; who asks is `Probes`; what ends a watch at once is told by a `Guard`. A target
brings the first two, so that every target is judged by the same head.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from delivery.errors import Transient
from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import Observation, SlotCounts, TrafficSample, Verdict
from delivery.ports.slots import Colour, other
from delivery.spec.environments import Watch
from delivery.traffic.verdict import SURE, VERY_SURE, is_surely_within, judge

AT_ONCE = 20
MOST_SAMPLES = 300  # a picture shows no more


class Metrics(Protocol):
    """What users of both slots were answered, counted by the router or by a monitoring system."""

    def read(self) -> Mapping[Colour, SlotCounts]:
        """Return the counts since this was opened; Transient when they cannot be read just now."""
        ...

    def before(self, colour: Colour) -> LatencyHistogram:
        """Return a slot's response times before this was opened, as far back as they are known."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Probes(Protocol):
    """Headway's own requests."""

    def ask(self, colour: Colour, requests: int) -> SlotCounts:
        """Send so many requests to the instances of a slot, whatever its weight, and return what came back."""
        ...


@dataclass
class Clock:
    """The time, and waiting for it; tests bring one that does not wait."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] = time.sleep


class _Seen(NamedTuple):
    live: SlotCounts
    baseline: SlotCounts
    verdict: Verdict
    reason: str


@dataclass
class TrafficWatch:
    """One watch of the release in slot `colour`, which gets `percent` of new requests.

    `fault` says what is wrong with the release beyond what counts tell, or nothing; `is_over` whether the release is
    watched no more, because it was withdrawn or settled meanwhile.
    """

    metrics: Metrics
    probes: Probes
    colour: Colour
    percent: int
    window: Watch
    fault: Callable[[], str]
    clock: Clock = field(default_factory=Clock)
    is_over: Callable[[], bool] = bool
    _started: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)
    _began: float = field(default=0.0, init=False)
    _asked: dict[Colour, SlotCounts] = field(default_factory=dict, init=False)
    _samples: list[TrafficSample] = field(default_factory=list, init=False)
    _sampled: tuple[SlotCounts, SlotCounts] = field(default=(SlotCounts(), SlotCounts()), init=False)

    def look(self, seconds: float) -> Observation:
        """Return what was seen within `seconds`; sooner when the release is at fault beyond doubt.

        When it cannot be told then, the look goes on for at most the window's `longer_seconds`: until it is a fault
        beyond doubt, or surely none.
        """
        self._started, self._began = datetime.now(UTC), self.clock.now()
        longer = self.window.longer_seconds
        seen = self._until(self._began + seconds, seconds, VERY_SURE if longer else SURE)
        if seen.verdict == "inconclusive" and longer and not self.is_over():
            seen = self._until(self._began + seconds + longer, seconds, SURE)
        return Observation(
            verdict=seen.verdict,
            reason=seen.reason,
            started=self._started,
            seconds=round(self.clock.now() - self._began, 3),
            live=seen.live,
            baseline=seen.baseline,
            samples=tuple(self._samples),
        )

    def _until(self, deadline: float, seconds: float, level: float) -> "_Seen":
        """Look again and again until the deadline, where `level` counts, or until it is clear before."""
        live = baseline = SlotCounts()
        while True:
            now = self.clock.now()
            last, passed = now >= deadline, (now - self._began) / seconds if seconds else 1.0
            verdict: Verdict
            try:
                fault = self.fault()  # first: whoever asks instances that are gone waits for each answer
                live, baseline = (live, baseline) if fault else self._counts(passed)
                verdict, reason = self._judge(fault, live, baseline, level if last else VERY_SURE)
            except (Transient, OSError) as error:
                verdict, reason = "inconclusive", f"the counters could not be read: {error}"
            self._sample(live, baseline, deadline - self._began)
            if self.is_over():
                return _Seen(live, baseline, "inconclusive", "the release was withdrawn or settled meanwhile")
            clear = passed > 1 and verdict == "healthy" and is_surely_within(self.window, live)
            if last or clear or verdict == "unhealthy":
                return _Seen(live, baseline, verdict, reason)
            self.clock.wait(min(self.window.interval_seconds, deadline - now))

    def _judge(self, fault: str, live: SlotCounts, baseline: SlotCounts, level: float) -> tuple[Verdict, str]:
        if fault:
            return "unhealthy", fault
        return judge(self.window, live, baseline, level=level)

    def _counts(self, passed: float) -> tuple[SlotCounts, SlotCounts]:
        """Return what the watched slot and the other one were asked by users and, below the floor, by probes.

        Probes go to both slots alike, so that both are judged by the same questions; never so many at once that the
        next look, at a fault and at the clock, would be far away.
        """
        seen = self.metrics.read()
        floor = math.ceil(self.window.min_requests * passed)
        for colour in (self.colour, other(self.colour)):
            known = seen[colour].answers + self._asked.get(colour, SlotCounts()).requests
            if known < floor:
                came = self.probes.ask(colour, min(floor - known, max(AT_ONCE, self.window.min_requests)))
                self._asked[colour] = self._asked.get(colour, SlotCounts()).plus(came)
        live, baseline = (
            seen[colour].plus(self._asked.get(colour, SlotCounts())) for colour in (self.colour, other(self.colour))
        )
        if self.percent == 100:  # nobody asks the other slot any more: it was as fast as it was before
            baseline = baseline.model_copy(update={"latency": self.metrics.before(other(self.colour))})
        return live, baseline

    def _sample(self, live: SlotCounts, baseline: SlotCounts, seconds: float) -> None:
        at = self._started + timedelta(seconds=self.clock.now() - self._began)
        if self._samples and (at - self._samples[-1].at).total_seconds() < seconds / MOST_SAMPLES:
            return
        before_live, before_baseline = self._sampled
        self._sampled = (live, baseline)
        self._samples.append(
            TrafficSample(
                at=at,
                percent=self.percent,
                live_requests=max(0, live.requests - before_live.requests),
                live_errors=max(0, live.errors - before_live.errors),
                baseline_requests=max(0, baseline.requests - before_baseline.requests),
                baseline_errors=max(0, baseline.errors - before_baseline.errors),
            )
        )
