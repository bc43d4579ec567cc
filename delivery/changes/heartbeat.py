"""Heartbeats of runs: what is true of them wherever they are kept, and those in a folder that hosts may share."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from delivery.changes import processes
from delivery.changes.processes import nobody
from delivery.home import Home
from delivery.ports.heartbeats import LIMIT_SECONDS, Heartbeat, Heartbeats, Whereabouts
from delivery.ports.leases import Lease, Leases

CRASHED = "its process died; recovery finishes or withdraws what it had begun"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class HeartbeatRules(ABC):
    """What is true of heartbeats wherever they are kept.

    On another host a run lives while its heartbeat is younger than `limit_seconds` by the clock here: the clocks of
    hosts that share heartbeats differ by much less than that.
    """

    def __init__(
        self,
        *,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
        limit_seconds: float = LIMIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.platform, self.here = platform, here or processes.here()
        self.limit, self.now = timedelta(seconds=limit_seconds), now

    def enter(self, run: str, *, begins_again: bool = True) -> Heartbeat:
        """Write down that this process carries `run`."""
        earlier = self.find(run)
        heartbeat = Heartbeat(
            run=run,
            where=self.here,
            process=os.getpid(),
            started=processes.started(os.getpid()) or 0,
            at=self.now(),
            platform=self.platform(),
            attempts=earlier.attempts + 1 if earlier else 1,
            begins_again=begins_again,
        )
        self._write(heartbeat)
        return heartbeat

    def renew(self, heartbeat: Heartbeat) -> bool:
        """Say again that the run's process lives; False, with nothing done, when the run ended or goes on elsewhere."""
        current = self.find(heartbeat.run)
        if current is None or not current.is_of(heartbeat):
            return False
        if current.attended:  # it was thought dead
            self._write(current.model_copy(update={"at": self.now(), "attended": False}))
        else:
            self._touch(current.model_copy(update={"at": self.now()}))
        return True

    def is_alive(self, heartbeat: Heartbeat) -> bool:
        """Whether its process is there or, on another host, was heard of within the limit."""
        if heartbeat.where == self.here:
            return processes.started(heartbeat.process) == heartbeat.started
        return not heartbeat.where.is_before_restart_of(self.here) and self.now() - heartbeat.at < self.limit

    def is_ours(self, heartbeat: Heartbeat) -> bool:
        """Whether this platform started the run."""
        return heartbeat.platform == "" or heartbeat.platform == self.platform()

    def alive(self) -> set[str]:
        """Return the runs that somebody carries now, of all platforms."""
        return {heartbeat.run for heartbeat in self._all() if self.is_alive(heartbeat)}

    def dead(self) -> list[Heartbeat]:
        """Return those whose process died before the run had ended, of all platforms."""
        return [heartbeat for heartbeat in self._all() if not self.is_alive(heartbeat)]

    def unattended(self) -> list[Heartbeat]:
        """Return this platform's dead that nobody has looked after yet."""
        return [heartbeat for heartbeat in self.dead() if self.is_ours(heartbeat) and not heartbeat.attended]

    def attend(self, dead: Heartbeat) -> None:
        """Note that nothing more has to be done about this death, unless another process carries the run by now."""
        if self.find(dead.run) == dead:
            self._write(dead.model_copy(update={"attended": True}))

    @abstractmethod
    def find(self, run: str) -> Heartbeat | None:
        """Return who carries `run`, alive or not."""

    @abstractmethod
    def _all(self) -> list[Heartbeat]:
        """Return every heartbeat, in order of its run."""

    @abstractmethod
    def _write(self, heartbeat: Heartbeat) -> None:
        """Keep it in place of what there was of its run."""

    @abstractmethod
    def _touch(self, heartbeat: Heartbeat) -> None:
        """Keep its time, where nothing else of it is new."""


class FolderHeartbeats(HeartbeatRules):
    """Heartbeats in a folder, one file for each run; when it last lived is the file's time, set by its own host.

    So a heartbeat is renewed on a full disk as well, and never half written. Hosts may share the folder: see
    `LeaseBook` for what it must do.
    """

    def __init__(
        self,
        root: Path,
        *,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
        limit_seconds: float = LIMIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(platform=platform, here=here, limit_seconds=limit_seconds, now=now)
        self.root = root

    @classmethod
    def of(cls, home: Home) -> "FolderHeartbeats":
        """Return those of a platform."""
        return cls(home.heartbeats, platform=lambda: home.identity)

    def leave(self, run: str) -> None:
        """Forget `run`: it has ended."""
        self._path(run).unlink(missing_ok=True)

    def find(self, run: str) -> Heartbeat | None:
        """Return who carries `run`, alive or not."""
        try:
            with self._path(run).open() as file:  # opened before its time is read: NFS asks the server then
                at = EPOCH + MICROSECOND * (os.fstat(file.fileno()).st_mtime_ns // 1000)
                return Heartbeat.model_validate_json(file.read()).model_copy(update={"at": at})
        except (FileNotFoundError, ValidationError):
            return None

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Yield whether this process is the only one that looks after the dead now; it never waits."""
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / "dead.lock", timeout=0):
                yield True
        except Timeout:
            yield False

    def _all(self) -> list[Heartbeat]:
        found = (self.find(path.stem) for path in sorted(self.root.glob("*.json")))
        return [heartbeat for heartbeat in found if heartbeat]

    def _write(self, heartbeat: Heartbeat) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        beside = self._path(heartbeat.run).with_suffix(".new")
        beside.write_text(heartbeat.model_dump_json())
        _set_time(beside, heartbeat.at)
        beside.replace(self._path(heartbeat.run))

    def _touch(self, heartbeat: Heartbeat) -> None:
        _set_time(self._path(heartbeat.run), heartbeat.at)

    def _path(self, run: str) -> Path:
        return self.root / f"{run}.json"


def _set_time(path: Path, at: datetime) -> None:
    nanoseconds = (at - EPOCH) // MICROSECOND * 1000
    os.utime(path, ns=(nanoseconds, nanoseconds))


def end_leases_of_the_dead(leases: Leases, heartbeats: Heartbeats) -> list[Lease]:
    """Let the leases of runs whose process died run out now, and return them; nobody will renew them any more."""
    held = (lease for lease in leases.all() if lease.is_held(datetime.now(UTC)))
    return [lease for lease in held if _is_dead(heartbeats, lease.holder) and leases.end(lease)]


def _is_dead(heartbeats: Heartbeats, run: str | None) -> bool:
    """Whether the process that carried `run` is known to be dead; a run that never had a heartbeat may live."""
    heartbeat = heartbeats.find(run) if run else None
    return heartbeat is not None and not heartbeats.is_alive(heartbeat)
