"""Watch live traffic at the router: its own counters, and probes where users send too little."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from delivery.app import Watch
from delivery.containers.instances import Instance
from delivery.containers.router import Router, Runtime
from delivery.containers.visit import Visitor
from delivery.errors import Transient
from delivery.programs.haproxy import ServerStat
from delivery.target import Colour, Observation, SlotCounts, TrafficSample, Verdict
from delivery.verdict import SURE, VERY_SURE, judge

DOWN_LOOKS = 2  # a single look may fall into the moment in which the router learns an address
ENGINE_EVERY_SECONDS = 1.0
KEPT_LATENCIES = 1000


class TrafficWatch:
    """One watch of the release in slot `colour`, which gets `percent` of new requests.

    `fault` says what is wrong with its containers, or nothing.
    """

    def __init__(
        self,
        router: Router,
        colour: Colour,
        percent: int,
        instances: Sequence[Instance],
        window: Watch,
        fault: Callable[[], str],
    ) -> None:
        self.router, self.colour, self.percent = router, colour, percent
        self.window, self.fault = window, fault
        self._paths = {one.server + one.service: one.file.health or "/" for one in instances}
        self._visitors = [router.visitor(one.service, one.server) for one in instances if one.file.port]
        self._turns: Iterator[Visitor] = itertools.cycle(self._visitors)
        self._samples: list[TrafficSample] = []
        self._latencies: list[float] = []
        self._first: list[ServerStat] = []
        self._now: list[ServerStat] = []
        self._down, self._engine_at = 0, time.monotonic()

    def look(self, seconds: float) -> Observation:
        """Return what was seen within `seconds`; sooner when the release is at fault beyond doubt."""
        started, began = datetime.now(UTC), time.monotonic()
        try:
            runtime = self.router.metrics()
            try:
                self._first = self._now = runtime.stat()
                verdict, reason = self._until(began + seconds, runtime, seconds)
            finally:
                runtime.close()
        except (Transient, OSError) as error:
            verdict, reason = "inconclusive", f"the router's counters could not be read: {error}"
        finally:
            for visitor in self._visitors:
                visitor.close()
        live, baseline = self._counts(self._first, self._now)
        return Observation(
            verdict=verdict,
            reason=reason,
            started=started,
            seconds=round(time.monotonic() - began, 3),
            live=live.model_copy(update={"latency_ms": tuple(self._latencies[:KEPT_LATENCIES])}),
            baseline=baseline,
            samples=tuple(self._samples),
        )

    def _until(self, deadline: float, runtime: Runtime, seconds: float) -> tuple[Verdict, str]:
        while True:
            over = time.monotonic() >= deadline
            self._probe(1.0 if over else 1 - (deadline - time.monotonic()) / seconds)
            self._take(runtime.stat())
            if problem := self._problem(at_once=over):
                return "unhealthy", problem
            live, baseline = self._counts(self._first, self._now)
            verdict, reason = judge(self.window, live, baseline, level=SURE if over else VERY_SURE)
            if over or verdict == "unhealthy":
                return verdict, reason
            time.sleep(max(0.0, min(self.window.interval_seconds, deadline - time.monotonic())))

    def _probe(self, share: float) -> None:
        """Send what is missing to the least number of requests, when `share` of the time is over."""
        if not self._visitors:
            return
        live, _ = self._counts(self._first, self._now)
        for _ in range(math.ceil(self.window.min_requests * share) - live.requests):
            visitor, began = next(self._turns), time.monotonic()
            visitor.get(self._paths[f"{visitor.instance}{visitor.service}"])
            self._latencies.append(round(1000 * (time.monotonic() - began), 2))

    def _take(self, stat: list[ServerStat]) -> None:
        live, baseline = self._counts(self._now, stat)
        self._now = stat
        self._samples.append(
            TrafficSample(
                at=datetime.now(UTC),
                percent=self.percent,
                live_requests=live.requests,
                live_errors=live.errors,
                baseline_requests=baseline.requests,
                baseline_errors=baseline.errors,
            )
        )

    def _counts(self, before: Sequence[ServerStat], now: Sequence[ServerStat]) -> tuple[SlotCounts, SlotCounts]:
        """Return what the watched slot and the other one were asked, and failed to answer, in between."""
        known = {(one.service, one.server): one for one in before}
        sums = {True: [0, 0], False: [0, 0]}
        for one in now:
            earlier = known.get((one.service, one.server))
            own = sums[one.colour == self.colour]
            own[0] += one.requests - (earlier.requests if earlier else 0)
            own[1] += one.errors - (earlier.errors if earlier else 0)
        live, baseline = (_as_counts(*sums[own]) for own in (True, False))
        return live, baseline

    def _problem(self, *, at_once: bool) -> str:
        """Say what is wrong with the slot's instances beyond what single requests tell, or nothing."""
        down = [f"{one.service} {one.server} is {one.status}" for one in self._now if self._is_out(one)]
        self._down = self._down + 1 if down else 0
        if self._down >= DOWN_LOOKS or (down and at_once):
            return self.fault() or f"the router finds {', '.join(down)}"
        if at_once or time.monotonic() - self._engine_at >= ENGINE_EVERY_SECONDS:
            self._engine_at = time.monotonic()
            return self.fault()
        return ""

    def _is_out(self, server: ServerStat) -> bool:
        return server.colour == self.colour and not server.is_up


def _as_counts(requests: int, errors: int) -> SlotCounts:
    """Return counts; a request that was tried three times counts three errors, and more than all cannot have failed."""
    return SlotCounts(requests=max(0, requests), errors=max(0, min(requests, errors)))
