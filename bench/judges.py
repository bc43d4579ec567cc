"""Three ways to judge a watch: Headway's, a fixed threshold, and ranks of values per interval."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bench.traces import INTERVALS, Look, Slot
from delivery.ports.observation import Verdict
from delivery.spec.environments import Watch
from delivery.traffic.verdict import SURE, VERY_SURE, burst, judge

POLICY = Watch()  # the same for all: at most 1 % of errors, at most three times as slow
CONFIDENCE, TOLERANCE = 0.98, 0.25
RANKS_EVERY = 10  # intervals; fewer values say nothing to a test by ranks

Judge = Callable[[Look], Verdict]


def headway_once(look: Look) -> Verdict:
    """Return Headway's verdict over a watch that is looked at once."""
    return judge(POLICY, look.live, look.baseline)[0]


def headway_watching(look: Look) -> Verdict:
    """Return Headway's verdict at one of many looks, a hard stop after the last interval included."""
    last = look.end - 1
    counted = [
        int(column[last]) for slot in (look.trace.live, look.trace.baseline) for column in (slot.requests, slot.errors)
    ]
    if burst(*counted):
        return "unhealthy"
    return judge(POLICY, look.live, look.baseline, level=SURE if look.end == INTERVALS else VERY_SURE)[0]


def fixed_threshold(look: Look) -> Verdict:
    """Compare shares and percentiles as they are, whatever their number: the rule of most scripts and alarms."""
    live, baseline = look.live, look.baseline
    if 100 * live.errors > POLICY.max_error_percent * live.requests:
        return "unhealthy"
    now, before = live.latency.quantile(0.95), baseline.latency.quantile(0.95)
    return "unhealthy" if now and before and now > POLICY.max_slowdown * before else "healthy"


def ranks(look: Look) -> Verdict:
    """Compare error rate and mean time of each interval as Kayenta's NetflixACAJudge does.

    Its rule: a metric is high when the lower end of the 98 % confidence interval of the shift between both (Mann and
    Whitney, asymptotic, as R computes it) is above a quarter of the estimated shift (Hodges and Lehmann). Identical
    values pass. Intervals without a request are left out. Its removal of outliers takes none of 60 values away.
    Both metrics are critical here, an increase is what counts, and the mean time has Headway's limit as the allowed
    increase; so the release fails when either is high.
    """
    if look.end % RANKS_EVERY:
        return "healthy"
    live, baseline = look.trace.live, look.trace.baseline
    errors = [_rate(slot.errors, slot, look.end) for slot in (live, baseline)]
    times = [_rate(slot.milliseconds, slot, look.end) for slot in (live, baseline)]
    bad = _is_high(*errors, allowed=1) or _is_high(*times, allowed=POLICY.max_slowdown)
    return "unhealthy" if bad else "healthy"


def _rate(column: NDArray[np.int64] | NDArray[np.float64], slot: Slot, end: int) -> NDArray[np.float64]:
    asked = slot.requests[:end] > 0
    return np.asarray(column[:end][asked] / slot.requests[:end][asked], dtype=np.float64)


def _is_high(live: NDArray[np.float64], baseline: NDArray[np.float64], *, allowed: float) -> bool:
    if not live.size or not baseline.size or np.array_equal(np.sort(live), np.sort(baseline)):
        return False
    lower, estimate = shift_of(live, baseline)
    mean = float(baseline.mean())
    deviation = float(live.mean()) / mean if mean else 1.0
    return lower > TOLERANCE * abs(estimate) and deviation >= allowed


def shift_of(live: NDArray[np.float64], baseline: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lower end of the confidence interval of the shift between both, and its estimate."""
    m, n = live.size, baseline.size
    differences = np.sort(np.subtract.outer(live, baseline), axis=None)
    ties = sum(
        float(((counts := np.unique(values, return_counts=True)[1]) ** 3 - counts).sum()) for values in (live, baseline)
    )
    sigma = math.sqrt(max(0.0, m * n / 12 * ((m + n + 1) - ties / ((m + n) * (m + n - 1)))))
    below = m * n / 2 - NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sigma - 0.5
    return float(differences[max(0, math.floor(below))]), float(np.median(differences))


ONCE: dict[str, Judge] = {"headway": headway_once, "fixed threshold": fixed_threshold, "ranks": ranks}
WATCHING: dict[str, Judge] = ONCE | {"headway": headway_watching}
