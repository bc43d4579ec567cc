"""Leases in this process, for trying pipelines out and for tests; they are gone with it."""

from collections.abc import Callable
from threading import Lock

from delivery.changes.lease import LeaseRules, Ruling
from delivery.changes.processes import nobody
from delivery.ports.heartbeats import Whereabouts
from delivery.ports.leases import LEASE_SECONDS, Lease


class MemoryLeases(LeaseRules):
    """Leases that the threads of one process share."""

    def __init__(
        self,
        *,
        lease_seconds: float = LEASE_SECONDS,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, platform=platform, here=here)
        self._kept: dict[tuple[str, str], Lease] = {}
        self._lock = Lock()

    def seen_by(self, *, lease_seconds: float = LEASE_SECONDS, platform: Callable[[], str] = nobody) -> "MemoryLeases":
        """Return the same leases as somebody else takes them."""
        other = MemoryLeases(lease_seconds=lease_seconds, platform=platform, here=self.here)
        other._kept, other._lock = self._kept, self._lock
        return other

    def read(self, app: str, environment: str) -> Lease:
        """Return the lease as it stands; sequence 0 when nobody ever had it."""
        return self._kept.get((app, environment)) or Lease(app=app, environment=environment, sequence=0)

    def all(self) -> list[Lease]:
        """Return every lease there ever was, in order of name."""
        return [lease for _, lease in sorted(self._kept.items())]

    def _change(self, app: str, environment: str, rule: Callable[[Lease], Ruling]) -> Lease | None:
        with self._lock:
            lease, error = rule(self.read(app, environment))
            if lease:
                self._kept[app, environment] = lease
        if error:
            raise error
        return lease
