"""Leases: what is true of them wherever they are kept, and those in a folder that hosts may share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock

from delivery.changes import processes
from delivery.changes.processes import nobody
from delivery.errors import HeadwayError, Rejected, Transient
from delivery.home import Home
from delivery.ports.heartbeats import Whereabouts
from delivery.ports.leases import LEASE_SECONDS, RENEW_SECONDS, Lease, Takeover
from delivery.releases.run_names import called

__all__ = ["LEASE_SECONDS", "RENEW_SECONDS", "Lease", "LeaseBook", "LeaseRules", "Takeover"]

# What becomes of a lease (none: it stays as it is), and what whoever asked is told instead of it.
Ruling = tuple[Lease | None, HeadwayError | None]


class LeaseRules(ABC):
    """What is true of leases wherever they are kept; a subclass reads, and changes one under a rule, at once."""

    def __init__(
        self,
        *,
        lease_seconds: float = LEASE_SECONDS,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
    ) -> None:
        self.lease_seconds, self.platform, self.here = lease_seconds, platform, here or processes.here()

    @abstractmethod
    def read(self, app: str, environment: str) -> Lease:
        """Return the lease as it stands; sequence 0 when nobody ever had it."""

    @abstractmethod
    def all(self) -> list[Lease]:
        """Return every lease there ever was, in order of name."""

    @abstractmethod
    def _change(self, app: str, environment: str, rule: Callable[[Lease], Ruling]) -> Lease | None:
        """Keep what `rule` makes of the lease as it stands, and raise what it says; nobody changes it in between.

        Where nobody can be kept away (S3: a write that is conditional on what was read), the rule is asked again about
        what stands there by then: it has no effects.
        """

    def is_ours(self, lease: Lease) -> bool:
        """Whether this platform changed the environment last, so that what was left half done there is its own."""
        return lease.platform == "" or lease.platform == self.platform()

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

        def rule(lease: Lease) -> Ruling:
            now, takeover = datetime.now(UTC), lease.takeover
            if lease.is_held(now) and lease.holder == steal != holder:
                takeover = _takeover(lease, holder, name, now)
            elif lease.is_held(now) and lease.holder != holder:
                return _refused(lease, holder, name, policy)
            taken = Lease(
                app=app,
                environment=environment,
                sequence=lease.sequence + 1,
                holder=holder,
                holder_name=name,
                reason=reason,
                taken=now,
                expires=now + timedelta(seconds=self.lease_seconds),
                takeover=takeover,
                where=self.here,
                platform=self.platform(),
            )
            return taken, None

        taken = self._change(app, environment, rule)
        assert taken is not None
        return taken

    def renew(self, lease: Lease) -> Lease:
        """Move the expiry; Rejected when the lease went to somebody else or the holder is asked to give way."""

        def rule(current: Lease) -> Ruling:
            if not _is_that(current, lease):
                return None, _lost(current, lease.sequence)
            expires = datetime.now(UTC) + timedelta(seconds=self.lease_seconds)
            newer = current.superseded_by
            asked = Rejected(f"superseded by {called(current.superseded_by_name, newer)}") if newer else None
            return current.model_copy(update={"expires": expires}), asked

        renewed = self._change(lease.app, lease.environment, rule)
        assert renewed is not None
        return renewed

    def end(self, lease: Lease) -> bool:
        """Let a lease run out now, because its holder is known to be dead; return whether it was that lease still.

        Whoever takes the environment next gets a higher sequence, so a holder that was wrongly thought dead is refused.
        """

        def rule(current: Lease) -> Ruling:
            if not _is_that(current, lease) or current.holder is None:
                return None, None
            return current.model_copy(update={"expires": datetime.now(UTC)}), None

        return self._change(lease.app, lease.environment, rule) is not None

    def check(self, app: str, environment: str, sequence: int) -> None:
        """Return while nobody took the lease after `sequence`; Rejected otherwise."""
        current = self.read(app, environment)
        if current.sequence > sequence:
            raise _lost(current, sequence)

    def give_back(self, lease: Lease) -> None:
        """Free the environment; nothing happens when somebody else holds it by now."""

        def rule(current: Lease) -> Ruling:
            if not _is_that(current, lease):
                return None, None
            kept = {"app", "environment", "sequence", "takeover", "platform"}
            return Lease.model_validate(current.model_dump(include=kept)), None

        self._change(lease.app, lease.environment, rule)


class LeaseBook(LeaseRules):
    """Leases in a folder, one file for each environment, changed under a lock.

    Hosts may share the folder where it keeps `flock` between them (NFS version 4 does, as POSIX locks), where `rename`
    replaces a file at once, and where a file that was opened is as its last writer closed it. What a folder gets wrong
    the fence holds: a target refuses a sequence below one it obeyed.
    """

    def __init__(
        self,
        root: Path,
        *,
        lease_seconds: float = LEASE_SECONDS,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, platform=platform, here=here)
        self.root = root

    @classmethod
    def of(cls, home: Home) -> "LeaseBook":
        """Return those of a platform."""
        return cls(home.leases, platform=lambda: home.identity)

    def read(self, app: str, environment: str) -> Lease:
        """Return the lease as it stands; sequence 0 when nobody ever had it."""
        try:
            return Lease.model_validate_json(self._path(app, environment).read_text())
        except FileNotFoundError:
            return Lease(app=app, environment=environment, sequence=0)

    def all(self) -> list[Lease]:
        """Return every lease there ever was, in order of name."""
        return [Lease.model_validate_json(path.read_text()) for path in sorted(self.root.glob("*.json"))]

    def _change(self, app: str, environment: str, rule: Callable[[Lease], Ruling]) -> Lease | None:
        self.root.mkdir(parents=True, exist_ok=True)
        path = self._path(app, environment)
        with FileLock(path.with_suffix(".lock"), timeout=30):
            lease, error = rule(self.read(app, environment))
            if lease:
                beside = path.with_suffix(".new")
                beside.write_text(lease.model_dump_json(indent=2))
                beside.replace(path)
        if error:
            raise error
        return lease

    def _path(self, app: str, environment: str) -> Path:
        return self.root / f"{app}.{environment}.json"


def _is_that(current: Lease, lease: Lease) -> bool:
    return (current.sequence, current.holder) == (lease.sequence, lease.holder)


def _refused(lease: Lease, holder: str, name: str, policy: str) -> Ruling:
    """Return what somebody else's lease becomes when `holder` asks for it, and what is told."""
    if policy == "reject":
        return None, Rejected(lease.describe())
    busy = Transient(lease.describe())
    if policy == "supersede" and lease.superseded_by is None:
        return lease.model_copy(update={"superseded_by": holder, "superseded_by_name": name}), busy
    return None, busy


def _takeover(lease: Lease, holder: str, name: str, now: datetime) -> Takeover:
    assert lease.holder is not None
    return Takeover(
        environment=lease.environment,
        taken_from=lease.holder,
        by=holder,
        taken_from_name=lease.holder_name,
        by_name=name,
        at=now,
        sequence=lease.sequence,
        since=lease.taken,
        reason=lease.reason,
    )


def _lost(current: Lease, sequence: int) -> Rejected:
    takeover = current.takeover
    if takeover and takeover.sequence == sequence:
        return Rejected(f"stolen by {called(takeover.by_name, takeover.by)}: {takeover.describe()}")
    return Rejected(f"the lease was lost: {current.describe()}")
