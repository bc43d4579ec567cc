"""Judge live traffic: healthy, unhealthy, or inconclusive; pure statistics over two sets of counts.

Two exact tests, so that small numbers are not over-read: the error share against the limit (one-sided binomial) and
against the other slot over the same seconds (one-sided Fisher). A single look counts at p < 0.01; a look that is
repeated many times during a watch needs p < 0.0001, because chance gets as many tries as there are looks.
"""

from delivery.app import Watch
from delivery.target import SlotCounts, Verdict

SURE = 0.01
VERY_SURE = 0.0001


def judge(window: Watch, live: SlotCounts, baseline: SlotCounts, *, level: float = SURE) -> tuple[Verdict, str]:
    """Return the verdict over `live`, the watched release, beside `baseline`, the other slot, and the reason for it."""
    seen = f"{live.errors} of {live.requests} requests failed"
    if live.requests < max(1, window.min_requests):
        return "inconclusive", f"{live.requests} requests, {max(1, window.min_requests)} are needed to tell"
    limit, share = window.max_error_percent / 100, live.errors / live.requests
    if share <= limit:
        return "healthy", f"{seen}; at most {window.max_error_percent:g} % may"
    above = f"{seen} ({100 * share:.1f} %), more than {window.max_error_percent:g} %"
    compared = baseline.requests >= max(1, window.min_requests)
    if compared and _worse_than_baseline(live, baseline) < level:
        return "unhealthy", f"{above}, and worse than the release before ({_share(baseline)})"
    if _above_limit(live, limit) >= level:
        return "inconclusive", f"{above}, but so few may be chance"
    if compared and baseline.errors / baseline.requests > limit:
        return "inconclusive", f"{above}, but the release before fails as well ({_share(baseline)})"
    return "unhealthy", above


def _share(counts: SlotCounts) -> str:
    return f"{counts.errors} of {counts.requests}"


def _above_limit(live: SlotCounts, limit: float) -> float:
    """Return the chance of so many errors, or more, when the true share is the limit."""
    if limit <= 0:
        return 0.0
    from scipy.stats import binomtest  # slow to import, and only needed when something failed

    return float(binomtest(live.errors, live.requests, limit, alternative="greater").pvalue)


def _worse_than_baseline(live: SlotCounts, baseline: SlotCounts) -> float:
    """Return the chance of such a difference, or a larger one, when both slots fail alike."""
    from scipy.stats import hypergeom

    errors = live.errors + baseline.errors
    # Fisher's test: of all requests, `errors` failed; the chance that so many of them fell into the live slot.
    return float(hypergeom.sf(live.errors - 1, live.requests + baseline.requests, errors, live.requests))
