"""Simulated traffic of two slots during a watch, of releases that are known to be good or bad."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from delivery.ports.latency import GROWTH, LONGEST_MS, SHORTEST_MS, LatencyHistogram, bucket_of
from delivery.ports.observation import SlotCounts

INTERVALS = 60
FIRST = bucket_of(SHORTEST_MS)
BUCKETS = bucket_of(LONGEST_MS) - FIRST + 1
MEDIAN_MS, SPREAD = 40.0, 0.5  # log-normal: 95 % within 91 ms
SLOW_MS = 2000.0
OUTAGE_INTERVALS = 6


@dataclass(frozen=True)
class Scenario:
    """How two releases behave; all shares are between 0 and 1."""

    name: str
    good: bool
    live_errors: float = 0.0
    baseline_errors: float = 0.0
    slowdown: float = 1.0
    slow_requests: float = 0.0  # in both
    outage: float = 0.0  # share that fails, in both, for a tenth of the time


@dataclass(frozen=True)
class Slot:
    """What one slot answered, in each interval."""

    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    buckets: NDArray[np.int64]
    milliseconds: NDArray[np.float64]

    @cached_property
    def _buckets(self) -> NDArray[np.int64]:
        return self.buckets.cumsum(axis=0)

    def counts(self, end: int) -> SlotCounts:
        """Return the counts of the intervals before `end`."""
        buckets = self._buckets[end - 1]
        used = np.flatnonzero(buckets)
        return SlotCounts(
            requests=int(self.requests[:end].sum()),
            errors=int(self.errors[:end].sum()),
            latency=LatencyHistogram(counts=dict(zip((used + FIRST).tolist(), buckets[used].tolist(), strict=True))),
        )


@dataclass(frozen=True)
class Trace:
    """One watch."""

    live: Slot
    baseline: Slot

    def looks(self, every: int) -> Iterator["Look"]:
        """Look at it after so many intervals, again and again until its end."""
        for end in range(every, INTERVALS + 1, every):
            yield Look(self, end, self.live.counts(end), self.baseline.counts(end))


@dataclass(frozen=True)
class Look:
    """What was counted before the interval `end` of a watch."""

    trace: Trace
    end: int
    live: SlotCounts
    baseline: SlotCounts


def simulate(scenario: Scenario, requests: int, share: float, random: np.random.Generator) -> Trace:
    """Return a watch in which the new release gets `requests`, which are `share` of all."""
    outage_begin = int(random.integers(0, INTERVALS - OUTAGE_INTERVALS + 1))
    return Trace(
        live=_slot(scenario, requests, scenario.live_errors, scenario.slowdown, outage_begin, random),
        baseline=_slot(
            scenario, round(requests * (1 - share) / share), scenario.baseline_errors, 1.0, outage_begin, random
        ),
    )


def _slot(
    scenario: Scenario, requests: int, errors: float, slowdown: float, outage_begin: int, random: np.random.Generator
) -> Slot:
    at = random.integers(0, INTERVALS, requests)
    fails = np.full(INTERVALS, errors)
    fails[outage_begin : outage_begin + OUTAGE_INTERVALS] = max(errors, scenario.outage)
    failed = random.random(requests) < fails[at]
    log_ms = math.log(MEDIAN_MS * slowdown) + SPREAD * random.standard_normal(requests)
    if scenario.slow_requests:
        slow = random.random(requests) < scenario.slow_requests
        log_ms[slow] += math.log(SLOW_MS / MEDIAN_MS)
    bucket = np.ceil(log_ms / math.log(GROWTH)).astype(np.int64) - FIRST
    return Slot(
        requests=np.bincount(at, minlength=INTERVALS),
        errors=np.bincount(at[failed], minlength=INTERVALS),
        buckets=np.bincount(at * BUCKETS + bucket, minlength=INTERVALS * BUCKETS).reshape(INTERVALS, BUCKETS),
        milliseconds=np.bincount(at, weights=np.exp(log_ms), minlength=INTERVALS).astype(np.float64),
    )
