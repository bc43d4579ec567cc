"""What few numbers allow to say."""

import statistics
from collections.abc import Sequence


def median_and_p95(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile (nearest rank) of at least one value."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[max(0, -(-95 * len(ordered) // 100) - 1)]


def upper_bound(failed: int, of: int, confidence: float = 0.95) -> float:
    """Return the largest share that is still likely, by Clopper and Pearson; 3 / N when none of N failed."""
    from scipy.stats import beta

    return float(beta.ppf(confidence, failed + 1, of - failed)) if failed < of else 1.0
