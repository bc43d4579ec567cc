"""The target: five verbs and a look, the same for every place a release can run."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from delivery.ports.belongings import Belonging
from delivery.ports.logs import LogLine, LogWish
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.ports.slots import SlotState, TargetState
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.spec.app import App
from delivery.spec.environments import Watch


class Target(Protocol):
    """Where releases run.

    Every verb may be called twice with the effect of once. A target is made for one lease sequence; when it has
    obeyed a higher one, each verb that changes something raises Rejected.
    """

    @property
    def fallback(self) -> Fallback | None:
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
