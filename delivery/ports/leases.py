"""The right to change an environment: one holder at a time, with an expiry and a sequence that only grows.

The sequence is the fence: a target that obeyed sequence 7 refuses 6, so a process that slept through the end of its
lease can do nothing any more. Expiries are times of the holder's clock: the clocks of hosts that share leases differ by
much less than `LEASE_SECONDS`.
"""

from datetime import datetime
from typing import Protocol

from pydantic import AliasChoices, Field

from delivery.model import Model
from delivery.ports.heartbeats import Whereabouts
from delivery.releases.run_names import called

LEASE_SECONDS = 30.0
RENEW_SECONDS = 5.0


class Takeover(Model):
    """A lease that was taken from a holder who was alive; kept files may hold its older names."""

    environment: str
    taken_from: str = Field(validation_alias=AliasChoices("taken_from", "robbed"), description="the run that held it")
    by: str = Field(description="the run that took it")
    taken_from_name: str = Field(
        "",
        validation_alias=AliasChoices("taken_from_name", "robbed_name"),
        description="what the run that held it is called",
    )
    by_name: str = Field("", description="what the run that took it is called")
    at: datetime
    sequence: int = Field(ge=0, description="of the lease that ended by it")
    since: datetime | None = Field(None, description="when the run that held it had taken it")
    reason: str = Field("", description="what the run that held it was doing")

    def describe(self) -> str:
        """Say who took what from whom, and when."""
        taken_from, taker = called(self.taken_from_name, self.taken_from), called(self.by_name, self.by)
        return f"{self.environment} was stolen from {taken_from} ({self.reason}) by {taker} at {_moment(self.at)}"


class Lease(Model):
    """What is known of the right to change one environment."""

    app: str
    environment: str
    sequence: int = Field(ge=0, description="grows by one with every holder")
    holder: str | None = Field(None, description="the run that holds it; none: free")
    holder_name: str = Field("", description="what the run that holds it is called")
    reason: str = ""
    taken: datetime | None = None
    expires: datetime | None = None
    superseded_by: str | None = Field(None, description="a newer run that asked the holder to give way")
    superseded_by_name: str = Field("", description="what that run is called")
    takeover: Takeover | None = Field(
        None, validation_alias=AliasChoices("takeover", "theft"), description="the last one, kept until the next"
    )
    where: Whereabouts | None = Field(None, description="host and boot of the process that took it")
    platform: str = Field("", description="identity of the platform that changed the environment last")

    @property
    def was_taken_over(self) -> bool:
        """Whether its last holder took it from a living one."""
        return self.takeover is not None and self.takeover.sequence + 1 == self.sequence

    @property
    def held_by(self) -> str:
        """Who holds it, as people know the run."""
        return called(self.holder_name, self.holder or "")

    def is_held(self, now: datetime) -> bool:
        """Whether somebody holds it and was heard of in time."""
        return self.holder is not None and self.expires is not None and now < self.expires

    def is_abandoned(self, now: datetime) -> bool:
        """Whether the holder stopped renewing without giving it back."""
        return self.holder is not None and not self.is_held(now)

    def describe(self) -> str:
        """Say who holds what, since when and why."""
        if self.holder is None:
            return f"{self.environment} of {self.app} is free"
        since = _moment(self.taken) if self.taken else "an unknown time"
        return f"{self.environment} of {self.app} is held by {self.held_by} since {since} ({self.reason})"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


class Leases(Protocol):
    """The leases of all environments, and all that may be done to them: each at once, whoever else does the same."""

    def read(self, app: str, environment: str) -> Lease:
        """Return the lease as it stands; sequence 0 when nobody ever had it."""
        ...

    def all(self) -> list[Lease]:
        """Return every lease there ever was, in order of name."""
        ...

    def is_ours(self, lease: Lease) -> bool:
        """Whether this platform changed the environment last, so that what was left half done there is its own."""
        ...

    def take(
        self,
        app: str,
        environment: str,
        *,
        holder: str,
        reason: str,
        name: str = "",
        policy: str = "queue",
        steal: str | None = None,
    ) -> Lease:
        """Return the lease, now held by `holder`, called `name`, under a new sequence; the holder may take it again.

        From `steal`, and nobody else, it is taken at once. Raises Transient while somebody else holds it and the
        policy is to wait (`queue`, `supersede`: the holder is asked to give way), Rejected for policy `reject`.
        """
        ...

    def renew(self, lease: Lease) -> Lease:
        """Move the expiry; Rejected when the lease went to somebody else or the holder is asked to give way."""
        ...

    def end(self, lease: Lease) -> bool:
        """Let a lease run out now, because its holder is known to be dead; return whether it was that lease still.

        Whoever takes the environment next gets a higher sequence, so a holder that was wrongly thought dead is refused.
        """
        ...

    def check(self, app: str, environment: str, sequence: int) -> None:
        """Return while nobody took the lease after `sequence`; Rejected otherwise."""
        ...

    def give_back(self, lease: Lease) -> None:
        """Free the environment; nothing happens when somebody else holds it by now."""
        ...
