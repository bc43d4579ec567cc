"""Heartbeats in this process, for trying pipelines out and for tests; they are gone with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock

from delivery.changes.heartbeat import HeartbeatRules
from delivery.changes.processes import nobody
from delivery.ports.heartbeats import LIMIT_SECONDS, Heartbeat, Whereabouts


class MemoryHeartbeats(HeartbeatRules):
    """Heartbeats that the threads of one process share."""

    def __init__(
        self,
        *,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
        limit_seconds: float = LIMIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(platform=platform, here=here, limit_seconds=limit_seconds, now=now)
        self._kept: dict[str, Heartbeat] = {}
        self._lock = Lock()

    def seen_from(self, here: Whereabouts, *, platform: Callable[[], str] = nobody) -> "MemoryHeartbeats":
        """Return the same heartbeats as another host sees them."""
        seconds = self.limit.total_seconds()
        other = MemoryHeartbeats(platform=platform, here=here, limit_seconds=seconds, now=self.now)
        other._kept, other._lock = self._kept, self._lock
        return other

    def leave(self, run: str) -> None:
        """Forget `run`: it has ended."""
        self._kept.pop(run, None)

    def find(self, run: str) -> Heartbeat | None:
        """Return who carries `run`, alive or not."""
        return self._kept.get(run)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Yield whether this thread is the only one that looks after the dead now; it never waits."""
        taken = self._lock.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._lock.release()

    def _all(self) -> list[Heartbeat]:
        return [heartbeat for _, heartbeat in sorted(self._kept.items())]

    def _write(self, heartbeat: Heartbeat) -> None:
        self._kept[heartbeat.run] = heartbeat

    def _touch(self, heartbeat: Heartbeat) -> None:
        self._write(heartbeat)
