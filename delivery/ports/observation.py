"""What was seen of live traffic: counts of each slot, and what a watch makes of them."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.model import Model
from delivery.ports.latency import LatencyHistogram

Verdict = Literal["healthy", "unhealthy", "inconclusive"]
NAMED_AT_MOST = 30  # different requests that failed, of each slot


class SlotCounts(Model):
    """What users and Headway's probes were answered by one slot over a window."""

    requests: int = Field(0, description="answered by it in the end")
    errors: int = Field(0, description="of these, answered with 5xx, not at all, or cut short")
    what_failed: dict[str, int] = Field({}, description="'GET /cart 500' → how often; the most frequent ones")
    hidden: int = Field(0, description="errors that no user saw, because the router asked again and got an answer")
    what_was_hidden: dict[str, int] = Field({}, description="'GET /cart' → how often; the most frequent ones")
    latency: LatencyHistogram = Field(LatencyHistogram(), description="response times")

    @property
    def answers(self) -> int:
        """Everything the slot answered, or should have."""
        return self.requests + self.hidden

    @property
    def faults(self) -> int:
        """Everything it answered with an error, seen by users or not."""
        return self.errors + self.hidden

    def minus(self, less: "SlotCounts") -> "SlotCounts":
        """Return what came after `less` was counted."""
        return SlotCounts(
            requests=self.requests - less.requests,
            errors=self.errors - less.errors,
            what_failed=dict(Counter(self.what_failed) - Counter(less.what_failed)),
            hidden=self.hidden - less.hidden,
            what_was_hidden=dict(Counter(self.what_was_hidden) - Counter(less.what_was_hidden)),
            latency=self.latency.minus(less.latency),
        )

    def plus(self, more: "SlotCounts") -> "SlotCounts":
        """Return both together."""
        return SlotCounts(
            requests=self.requests + more.requests,
            errors=self.errors + more.errors,
            what_failed=_most(self.what_failed, more.what_failed),
            hidden=self.hidden + more.hidden,
            what_was_hidden=_most(self.what_was_hidden, more.what_was_hidden),
            latency=self.latency.plus(more.latency),
        )


def _most(some: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return dict((Counter(some) + Counter(more)).most_common(NAMED_AT_MOST))


class EndedConnections(Model):
    """Connections of users that ended with the slot they led to: they were given time, and needed more."""

    service: str
    connections: int
    seconds: int = Field(description="what they were given")

    def describe(self) -> str:
        """Say what was cut, and the key that would have given it more time."""
        some = "1 connection" if self.connections == 1 else f"{self.connections} connections"
        was = "was" if self.connections == 1 else "were"
        key = f"services.{self.service}.drain_seconds"
        return f"{some} of {self.service} {was} still open after {self.seconds} s ({key}) and ended with the old slot"


class TrafficSample(Model):
    """The traffic of one short interval, for the picture of the release."""

    at: datetime
    percent: int = Field(ge=0, le=100, description="weight of the watched release")
    live_requests: int = 0
    live_errors: int = 0
    baseline_requests: int = 0
    baseline_errors: int = 0


class Observation(Model):
    """What a watch saw, and what it means."""

    verdict: Verdict
    reason: str
    started: datetime
    seconds: float
    live: SlotCounts = Field(SlotCounts(), description="the slot of the watched release")
    baseline: SlotCounts = Field(SlotCounts(), description="the other slot over the same seconds")
    samples: tuple[TrafficSample, ...] = ()


class Fallback(Model):
    """Traffic that went back to the other slot at once, because the release was at fault beyond doubt."""

    reason: str
    first_sign: datetime = Field(description="when the fault was first seen")
    traffic_back: datetime | None = Field(description="when the other slot had all traffic; none: that failed")

    @property
    def seconds(self) -> float | None:
        """From the first sign to the weights being back."""
        return (self.traffic_back - self.first_sign).total_seconds() if self.traffic_back else None
