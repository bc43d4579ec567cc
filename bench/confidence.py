"""What few numbers allow to say."""

import statistics
from collections.abc import Sequence


def median_and_p95(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile (nearest rank) of at least one value."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[max(0, -(-95 * len(ordered) // 100) - 1)]
