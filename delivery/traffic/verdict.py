"""Judge live traffic: healthy, unhealthy, or inconclusive; pure statistics over two sets of counts.

Two exact tests, so that small numbers are not over-read: the share of failed requests against the limit (one-sided
binomial) and against the other slot over the same seconds (one-sided Fisher). Response times are judged by the same
tests, over the requests that took longer than a bound: a test over rank sums would not see a slow tail. A share
within the limit is healthy, also when the release before did better: the limit says what users put up with.

What users were answered with an error counts, and what they would have been, had the router not asked another
instance: told apart, for only the first was felt.

`level` is the chance of calling chance a fault. A single look counts at 0.01; a look that is repeated during a watch
needs 0.0001, for chance gets as many tries as there are looks. With a look each 0.1 s over ten minutes it then comes
to a false alarm in less than 1 % of watches, because looks one after the other see nearly the same requests.
"""

from collections import Counter
from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from delivery.counting import counted
from delivery.ports.observation import SlotCounts, Verdict
from delivery.spec.environments import Watch

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import ArrayLike, NDArray

SURE = 0.01
VERY_SURE = 0.0001
LATENCIES_NEEDED = 50  # fewer say little of a 95th percentile, and the first of a new process are slow
SLOWDOWN_MS = 20.0  # less is not felt, and a busy machine makes it by itself: 1 ms may become 3 ms
SLOWEST = 0.05  # the share above the 95th percentile
QUANTILES = {0.5: "half of the requests", 1 - SLOWEST: "the slowest 5 %"}
BURST_ERRORS = 5
NAMED = 3  # requests that a verdict names
SEVERITY: tuple[Verdict, ...] = ("healthy", "inconclusive", "unhealthy")


class Share(NamedTuple):
    """How many of all."""

    some: int
    all: int

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.some / self.all

    def __str__(self) -> str:
        return f"{self.some} of {self.all}"


def judge(window: Watch, live: SlotCounts, baseline: SlotCounts, *, level: float = SURE) -> tuple[Verdict, str]:
    """Return the verdict over `live`, the watched release, beside `baseline`, the other slot, and the reason for it.

    Errors are judged first; response times, where there are enough of them, can only make the verdict worse.
    """
    needed = max(1, window.min_requests)
    if live.answers < needed:
        return "inconclusive", f"{counted(live.answers, 'request')}, {needed} are needed to tell"
    found = [
        _judge_errors(window, live, baseline, level),
        _judge_latency(window, live, baseline, level),
        _judge_slowdown(window, live, baseline, level),
    ]
    return max((one for one in found if one), key=lambda one: SEVERITY.index(one[0]))


def is_surely_within(window: Watch, live: SlotCounts) -> bool:
    """Whether so few of many requests failed that the true share is within the limit, but for a chance of 0.01."""
    from scipy.special import bdtr

    failed, limit = _failed(live.answers, live.faults), window.max_error_percent / 100
    return limit <= 0 or bool(bdtr(failed.some, failed.all, limit) < SURE)


def burst(requests: int, errors: int, baseline_requests: int, baseline_errors: int) -> bool:
    """Whether the requests of a short time, about a second, are reason to stop at once.

    At least 5 and at least half of all failed, and the other slot, over the same time, did not fail alike.
    """
    if errors < BURST_ERRORS or 2 * errors < requests:
        return False
    live, baseline = _failed(requests, errors), _failed(baseline_requests, baseline_errors)
    return not baseline.some or worse(live, baseline) < VERY_SURE


def upper_bound(failed: int, requests: int, confidence: float = 0.95) -> float:
    """Return the largest share of failures still likely, by Clopper and Pearson; 3 / N when none of N failed."""
    if failed >= requests:
        return 1.0
    if not failed:  # the interval's end in closed form
        return float(1 - (1 - confidence) ** (1 / requests))
    from scipy.special import betaincinv  # slow to import, and only needed here

    return float(betaincinv(failed + 1, requests - failed, confidence))


def prepare() -> None:
    """Load what the tests need, which takes half a second, so that the first fault does not wait for it."""
    import scipy.special  # noqa: F401


def _judge_errors(window: Watch, live: SlotCounts, baseline: SlotCounts, level: float) -> tuple[Verdict, str]:
    failed, before = _failed(live.answers, live.faults), _failed(baseline.answers, baseline.faults)
    known = before if before.all >= max(1, window.min_requests) else None
    verdict, why = _judge_share(failed, known, window.max_error_percent / 100, level)
    seen, limit = faults(live), f"{window.max_error_percent:g} %"
    if verdict == "healthy":
        return verdict, f"{seen}; at most {limit} may"
    return verdict, f"{seen} ({100 * failed.value:.1f} %), more than {limit}{why}{which(live)}"


def faults(slot: SlotCounts) -> str:
    """Say how much of what a slot answered was an error, and how much of that users did not see."""
    share = _failed(slot.answers, slot.faults)
    if not slot.hidden:
        return f"{share} requests failed"
    return f"{share} answers were errors, {slot.hidden} of them hidden from users by another try"


def which(slot: SlotCounts) -> str:
    """Name the requests that failed most often and what they were answered, after a colon; nothing when none did."""
    named = Counter(slot.what_failed) + Counter({f"{one} hidden": n for one, n in slot.what_was_hidden.items()})
    most = named.most_common(NAMED)
    more = named.total() - sum(count for _, count in most)
    told = [f"{one} ({count})" for one, count in most] + ([f"others ({more})"] if more else [])
    return f": {', '.join(told)}" if told else ""


def _judge_latency(window: Watch, live: SlotCounts, baseline: SlotCounts, level: float) -> tuple[Verdict, str] | None:
    limit = window.max_latency_ms
    if limit is None or live.latency.total < LATENCIES_NEEDED:
        return None
    slow, before = _slower(live, limit), _slower(baseline, limit)
    verdict, why = _judge_share(slow, before if before.all >= LATENCIES_NEEDED else None, SLOWEST, level)
    return verdict, f"{slow} requests took longer than {limit:g} ms, at most 5 % may{why}"


def _judge_slowdown(window: Watch, live: SlotCounts, baseline: SlotCounts, level: float) -> tuple[Verdict, str] | None:
    """Return unhealthy when the release is slow beyond chance, none otherwise."""
    if min(live.latency.total, baseline.latency.total) < LATENCIES_NEEDED:
        return None
    for quantile, name in QUANTILES.items():
        now, before = live.latency.quantile(quantile) or 0.0, baseline.latency.quantile(quantile) or 0.0
        bound = max(window.max_slowdown * before, before + SLOWDOWN_MS)
        if now > bound and worse(_slower(live, bound), _slower(baseline, bound)) < level / len(QUANTILES):
            return "unhealthy", f"{name} took {now:.0f} ms and longer, {before:.0f} ms with the release before"
    return None


def _failed(requests: int, errors: int) -> Share:
    """Return a share; a request that was tried again is counted twice by some routers."""
    return Share(min(errors, requests), requests)


def _slower(slot: SlotCounts, milliseconds: float) -> Share:
    return Share(slot.latency.above(milliseconds), slot.latency.total)


def _judge_share(live: Share, baseline: Share | None, limit: float, level: float) -> tuple[Verdict, str]:
    """Return the verdict and, where the share is above the limit, what is to be said of that."""
    if live.value <= limit:
        return "healthy", ""
    chance = above_limit(live, limit)
    if baseline:
        # Being worse alone says nothing of the limit; being worse and probably above it does.
        if chance < sqrt(level) and worse(live, baseline) < level:
            return "unhealthy", f", and worse than the release before ({baseline})"
        if baseline.value > limit:
            return "inconclusive", f", but so did the release before ({baseline})"
    return ("inconclusive", ", but so few may be chance") if chance >= level else ("unhealthy", "")


def above_limit(live: Share, limit: float) -> float:
    """Return the chance of so many, or more, when the true share is the limit."""
    if limit <= 0:
        return 0.0
    from scipy.special import bdtrc  # slow to import, and only needed when something is wrong

    return float(bdtrc(live.some - 1, live.all, limit))


def worse(live: Share, baseline: Share) -> float:
    """Return the chance of such a difference, or a larger one, when both slots are alike."""
    from numpy import arange, exp
    from scipy.special import logsumexp

    # Fisher's test: of all requests, `some` failed; the chance that so many of them fell into the live slot. Summed
    # here, because scipy.stats takes a second of processor time to import, in every run, beside live traffic.
    some, requests = live.some + baseline.some, live.all + baseline.all
    fell = arange(live.some, min(some, live.all) + 1.0)
    ways = _log_ways(live.all, fell) + _log_ways(baseline.all, some - fell)
    return min(1.0, float(exp(logsumexp(ways) - _log_ways(requests, some))))


def _log_ways(requests: int, failed: "ArrayLike") -> "NDArray[float64]":
    """Return the logarithms of how many ways there are to choose so many of all requests."""
    from numpy import asarray, float64
    from scipy.special import betaln

    chosen = asarray(failed, float64)
    return asarray(-log(requests + 1) - betaln(requests - chosen + 1, chosen + 1), float64)
