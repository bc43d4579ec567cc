"""Response times as counts in buckets that grow by a tenth each, small enough to keep and to add up."""

import math
from collections import Counter
from collections.abc import Iterable

from pydantic import Field

from delivery.model import Model

GROWTH = 1.1
SHORTEST_MS = 0.1
LONGEST_MS = 600_000.0


def bucket_of(milliseconds: float) -> int:
    """Return the bucket of a time: number n holds what is above 1.1^(n-1) ms and at most 1.1^n ms."""
    within = min(max(milliseconds, SHORTEST_MS), LONGEST_MS)
    return math.ceil(round(math.log(within) / math.log(GROWTH), 9))  # rounded: a bound belongs to the bucket below it


class LatencyHistogram(Model):
    """How many requests took how long; every figure is right to within one bucket.

    Times below 0.1 ms count as that long, times above 10 minutes as 10 minutes.
    """

    counts: dict[int, int] = Field({}, description="requests by the number n of their bucket, which ends at 1.1^n ms")

    @classmethod
    def of(cls, times_ms: Iterable[float]) -> "LatencyHistogram":
        """Return the histogram of response times in milliseconds."""
        return cls(counts=dict(Counter(map(bucket_of, times_ms))))

    def plus(self, more: "LatencyHistogram") -> "LatencyHistogram":
        """Return the requests of both."""
        return LatencyHistogram(counts=dict(Counter(self.counts) + Counter(more.counts)))

    def minus(self, less: "LatencyHistogram") -> "LatencyHistogram":
        """Return what came after `less` was counted; never less than nothing, also when a counter began anew."""
        return LatencyHistogram(counts=dict(Counter(self.counts) - Counter(less.counts)))

    @property
    def total(self) -> int:
        """How many requests are counted."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """Return the time, in milliseconds, within which this share of the requests was answered; none without any."""
        needed, seen = max(1, math.ceil(share * self.total)), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= needed:
                return float(GROWTH ** (bucket - 0.5))
        return None

    def above(self, milliseconds: float) -> int:
        """Return how many requests took longer, those of the bucket of `milliseconds` itself left out."""
        bucket = bucket_of(milliseconds)
        return sum(count for number, count in self.counts.items() if number > bucket)
