"""The target: five verbs and a look, the same for every place a release can run."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field

from delivery.answer import Answer
from delivery.app import App, Watch
from delivery.latency import LatencyHistogram
from delivery.model import Model
from delivery.release import Release
from delivery.service_logs import LogLine, LogWish

Colour = Literal["blue", "green"]
Verdict = Literal["healthy", "unhealthy", "inconclusive"]
NAMED_AT_MOST = 30  # different requests that failed, of each slot


def other(colour: Colour) -> Colour:
    """Return the other slot."""
    return "green" if colour == "blue" else "blue"


class InstanceState(Model):
    """One running instance of a service."""

    service: str
    name: str
    digest: str | None = Field(description="what the runtime says it runs")
    served_digest: str | None = Field(None, description="what its version path says; none when it has no such path")
    healthy: bool


class SlotState(Model):
    """One of the two places a release can stand in."""

    colour: Colour
    release: Release | None
    weight: int = Field(ge=0, le=100, description="percent of new requests")
    instances: tuple[InstanceState, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether it has instances and all of them are healthy."""
        return bool(self.instances) and all(instance.healthy for instance in self.instances)


class TargetState(Model):
    """What runs now, read from the target itself."""

    slots: tuple[SlotState, ...] = ()
    url: str | None = None
    sequence: int = Field(0, description="the highest lease sequence the target has obeyed")
    settled_at: datetime | None = Field(None, description="when the last release that passed every watch had done so")

    @property
    def live(self) -> SlotState | None:
        """The slot that takes most of the traffic, or none before the first release."""
        taking = [slot for slot in self.slots if slot.release and slot.weight > 0]
        return max(taking, key=lambda slot: slot.weight, default=None)

    @property
    def kept(self) -> SlotState | None:
        """The slot that stands without traffic beside one that takes it all."""
        if self.live is None or self.live.weight < 100:
            return None
        return next((slot for slot in self.slots if slot.release and slot.weight == 0), None)

    def slot_of(self, release: Release) -> SlotState | None:
        """The slot in which `release` stands."""
        for slot in self.slots:
            if slot.release and slot.release.fingerprint == release.fingerprint:
                return slot
        return None


class Belonging(Model):
    """One thing that an environment has where it runs."""

    kind: str = Field(description="container, network, volume: in the target's words")
    name: str
    keeps: str = Field("", description="what is lost with it, in words; empty: nothing that a release does not bring")


class Losses(Model):
    """What the instances in an environment wrote that is lost with them."""

    lines: tuple[str, ...] = Field(description="each in words that name the key")


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


class Retreat(Model):
    """Traffic that went back to the other slot at once, because the release was at fault beyond doubt."""

    reason: str
    first_sign: datetime = Field(description="when the fault was first seen")
    traffic_back: datetime | None = Field(description="when the other slot had all traffic; none: that failed")

    @property
    def seconds(self) -> float | None:
        """From the first sign to the weights being back."""
        return (self.traffic_back - self.first_sign).total_seconds() if self.traffic_back else None


class Target(Protocol):
    """Where releases run.

    Every verb may be called twice with the effect of once. A target is made for one lease sequence; when it has
    obeyed a higher one, each verb that changes something raises Rejected.
    """

    @property
    def retreat(self) -> Retreat | None:
        """What made traffic go back, when it did since this target was opened."""
        ...

    @property
    def ended(self) -> tuple[EndedConnections, ...]:
        """What was cut since this target was opened."""
        ...

    def guarded(self) -> AbstractContextManager[None]:
        """Turn the errors of whatever runs the target, raised inside, into Headway's."""
        ...

    def close(self) -> None:
        """Watch over nothing any more."""
        ...

    def observe(self) -> TargetState:
        """Tell what is live, what is staged, weights and health; changes nothing."""
        ...

    def stage(self, app: App, release: Release) -> SlotState:
        """Run `release` in the idle slot without live traffic and return when it is healthy.

        Raises ReleaseUnhealthy when it does not become healthy in time.
        """
        ...

    def shift(self, release: Release, percent: int) -> TargetState:
        """Send `percent` of new requests to `release`; requests in flight finish where they are.

        The very first release takes all traffic whatever `percent` says. Raises ReleaseUnhealthy when the served
        version is not the release's.
        """
        ...

    def guard(self, release: Release) -> None:
        """From now until this target is closed, a hard fault of `release` puts traffic back at once.

        The next verb that is asked to send it traffic, or to watch it, then says why.
        """
        ...

    def confirm(self, release: Release) -> None:
        """Prove that every instance and every answer to a user is of `release`, and end its guard.

        Raises ReleaseUnhealthy when something else is served, or the guard had to act.
        """
        ...

    def watch(self, release: Release, window: Watch, seconds: float) -> Observation:
        """Look at the live traffic of both slots for `seconds` and judge; ends early on a hard fault.

        After an unhealthy verdict the other slot, when there is one, has all traffic again.
        """
        ...

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        """GET `path` as a user would, or from `release` alone, whatever its weight, and return the answer.

        With `service` each instance of it in the release is asked; there is an answer for each.
        """
        ...

    def logs(self, wish: LogWish) -> Iterator[LogLine]:
        """Yield what a part of the environment printed, of several instances in the order of time.

        What the target itself keeps secret is masked. Raises Misconfigured, with the parts that are there, for one that
        is not.
        """
        ...

    def address(self, release: Release | None = None) -> str:
        """Return the URL for programs on the environment's network: the users' entry, or that of `release` alone."""
        ...

    def give_up(self) -> None:
        """Let a stage that waits for health in another thread raise Rejected soon; `withdraw` comes next."""
        ...

    def withdraw(self, release: Release) -> TargetState:
        """Leave the target as if `release` had never been staged."""
        ...

    def settle(self, release: Release) -> TargetState:
        """Give `release` all traffic for good; what it replaced stays as it is, ready to take over again."""
        ...

    def retire(self, release: Release) -> TargetState:
        """Remove what `release` replaced, after proof that the old slot gets no requests."""
        ...

    def losses(self, app: App) -> tuple[str, ...]:
        """Return what the instances wrote that is lost with them, in words; changes nothing, and is no proof.

        `app` describes the release that stays.
        """
        ...

    def belongings(self) -> tuple[Belonging, ...]:
        """Return everything the environment has here, databases included; changes nothing."""
        ...

    def remove(self) -> tuple[Belonging, ...]:
        """Remove everything the environment has here, databases included, and return what that was.

        What is live is taken from its users. Raises Rejected when something stays.
        """
        ...
