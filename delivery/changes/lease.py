"""The right to change an environment: one holder at a time, with an expiry and a sequence that only grows.

The sequence is the fence: a target that obeyed sequence 7 refuses 6, so a process that slept through the end of its
lease can do nothing any more.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock
from pydantic import Field

from delivery.errors import Rejected, Transient
from delivery.model import Model
from delivery.releases.run_names import called

LEASE_SECONDS = 30.0
RENEW_SECONDS = 5.0


class Theft(Model):
    """A lease that was taken from a holder who was alive."""

    environment: str
    robbed: str = Field(description="the run that held it")
    by: str = Field(description="the run that took it")
    robbed_name: str = Field("", description="what the robbed run is called")
    by_name: str = Field("", description="what the run that took it is called")
    at: datetime
    sequence: int = Field(ge=0, description="of the lease that ended by it")
    since: datetime | None = Field(None, description="when the robbed run had taken it")
    reason: str = Field("", description="what the robbed run was doing")

    def describe(self) -> str:
        """Say who took what from whom, and when."""
        robbed, thief = called(self.robbed_name, self.robbed), called(self.by_name, self.by)
        return f"{self.environment} was stolen from {robbed} ({self.reason}) by {thief} at {_moment(self.at)}"


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
    theft: Theft | None = Field(None, description="the last one, kept until the next")

    @property
    def was_stolen(self) -> bool:
        """Whether its last holder took it from a living one."""
        return self.theft is not None and self.theft.sequence + 1 == self.sequence

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


class LeaseBook:
    """The leases of a platform, one file for each environment, changed under a lock."""

    def __init__(self, root: Path, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self.root = root
        self.lease_seconds = lease_seconds

    def read(self, app: str, environment: str) -> Lease:
        """Return the lease as it stands."""
        path = self._path(app, environment)
        if not path.exists():
            return Lease(app=app, environment=environment, sequence=0)
        return Lease.model_validate_json(path.read_text())

    def all(self) -> list[Lease]:
        """Return every lease there ever was, in order of name."""
        return [Lease.model_validate_json(path.read_text()) for path in sorted(self.root.glob("*.json"))]

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
        with self._locked(app, environment):
            now = datetime.now(UTC)
            lease = self.read(app, environment)
            theft = lease.theft
            if lease.is_held(now) and lease.holder == steal != holder:
                theft = Theft(
                    environment=environment,
                    robbed=steal,
                    by=holder,
                    robbed_name=lease.holder_name,
                    by_name=name,
                    at=now,
                    sequence=lease.sequence,
                    since=lease.taken,
                    reason=lease.reason,
                )
            elif lease.is_held(now) and lease.holder != holder:
                if policy == "reject":
                    raise Rejected(lease.describe())
                if policy == "supersede" and lease.superseded_by is None:
                    self._write(lease.model_copy(update={"superseded_by": holder, "superseded_by_name": name}))
                raise Transient(lease.describe())
            taken = Lease(
                app=app,
                environment=environment,
                sequence=lease.sequence + 1,
                holder=holder,
                holder_name=name,
                reason=reason,
                taken=now,
                expires=now + timedelta(seconds=self.lease_seconds),
                theft=theft,
            )
            self._write(taken)
            return taken

    def renew(self, lease: Lease) -> Lease:
        """Move the expiry; Rejected when the lease went to somebody else or the holder is asked to give way."""
        with self._locked(lease.app, lease.environment):
            current = self.read(lease.app, lease.environment)
            if current.sequence != lease.sequence or current.holder != lease.holder:
                raise _lost(current, lease.sequence)
            expires = datetime.now(UTC) + timedelta(seconds=self.lease_seconds)
            renewed = current.model_copy(update={"expires": expires})
            self._write(renewed)
        if renewed.superseded_by:
            raise Rejected(f"superseded by {called(renewed.superseded_by_name, renewed.superseded_by)}")
        return renewed

    def end(self, lease: Lease) -> bool:
        """Let a lease run out now, because its holder is known to be dead; return whether it was that lease still.

        Whoever takes the environment next gets a higher sequence, so a holder that was wrongly thought dead is refused.
        """
        with self._locked(lease.app, lease.environment):
            current = self.read(lease.app, lease.environment)
            if (current.sequence, current.holder) != (lease.sequence, lease.holder) or current.holder is None:
                return False
            self._write(current.model_copy(update={"expires": datetime.now(UTC)}))
            return True

    def check(self, app: str, environment: str, sequence: int) -> None:
        """Return while nobody took the lease after `sequence`; Rejected otherwise."""
        current = self.read(app, environment)
        if current.sequence > sequence:
            raise _lost(current, sequence)

    def give_back(self, lease: Lease) -> None:
        """Free the environment; nothing happens when somebody else holds it by now."""
        with self._locked(lease.app, lease.environment):
            current = self.read(lease.app, lease.environment)
            if current.sequence == lease.sequence and current.holder == lease.holder:
                free = Lease(app=lease.app, environment=lease.environment, sequence=lease.sequence, theft=current.theft)
                self._write(free)

    def _locked(self, app: str, environment: str) -> FileLock:
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self._path(app, environment).with_suffix(".lock"), timeout=30)

    def _path(self, app: str, environment: str) -> Path:
        return self.root / f"{app}.{environment}.json"

    def _write(self, lease: Lease) -> None:
        path = self._path(lease.app, lease.environment)
        beside = path.with_suffix(".new")
        beside.write_text(lease.model_dump_json(indent=2))
        beside.replace(path)


def _lost(current: Lease, sequence: int) -> Rejected:
    theft = current.theft
    if theft and theft.sequence == sequence:
        return Rejected(f"stolen by {called(theft.by_name, theft.by)}: {theft.describe()}")
    return Rejected(f"the lease was lost: {current.describe()}")
