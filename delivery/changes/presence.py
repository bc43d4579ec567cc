"""Which runs have a living process on this machine: the orchestrator alone cannot tell after a kill -9."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from delivery.changes.lease import Lease, LeaseBook
from delivery.model import Model

CRASHED = "its process died; recovery finishes or withdraws what it had begun"


class Presence(Model):
    """The process that carries a run."""

    run: str
    process: int
    started: float
    attempts: int = 1
    begins_again: bool = Field(True, description="whether the run is started again when its process dies")
    attended: bool = Field(False, description="its death is known, and its run waits for a process of its own")

    @property
    def is_alive(self) -> bool:
        """Whether that very process is there, not another one with its number."""
        try:
            process = psutil.Process(self.process)
            same = abs(process.create_time() - self.started) < 1
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class Roll:
    """One file for each run that has begun and not ended."""

    root: Path

    def enter(self, run: str, *, begins_again: bool = True) -> Presence:
        """Write down that this process carries `run`."""
        earlier = self.find(run)
        presence = Presence(
            run=run,
            process=os.getpid(),
            started=psutil.Process().create_time(),
            attempts=earlier.attempts + 1 if earlier else 1,
            begins_again=begins_again,
        )
        self._write(presence)
        return presence

    def leave(self, run: str) -> None:
        """Forget `run`: it has ended."""
        self._path(run).unlink(missing_ok=True)

    def find(self, run: str) -> Presence | None:
        """Return who carries `run`, alive or not."""
        try:
            return Presence.model_validate_json(self._path(run).read_text())
        except (FileNotFoundError, ValidationError):
            return None

    def alive(self) -> set[str]:
        """Return the runs that somebody carries now."""
        return {presence.run for presence in self._present() if presence.is_alive}

    def dead(self) -> list[Presence]:
        """Return those whose process died before the run had ended."""
        return [presence for presence in self._present() if not presence.is_alive]

    def unattended(self) -> list[Presence]:
        """Return the dead that nobody has looked after yet."""
        return [presence for presence in self.dead() if not presence.attended]

    def attend(self, dead: Presence) -> None:
        """Note that nothing more has to be done about this death, unless another process carries the run by now."""
        if self.find(dead.run) == dead:
            self._write(dead.model_copy(update={"attended": True}))

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Yield whether this process is the only one that looks after the dead now; it never waits."""
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / "dead.lock", timeout=0):
                yield True
        except Timeout:
            yield False

    def _present(self) -> list[Presence]:
        found = (self.find(path.stem) for path in sorted(self.root.glob("*.json")))
        return [presence for presence in found if presence]

    def _write(self, presence: Presence) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        beside = self._path(presence.run).with_suffix(".new")
        beside.write_text(presence.model_dump_json())
        beside.replace(self._path(presence.run))

    def _path(self, run: str) -> Path:
        return self.root / f"{run}.json"


def end_leases_of_the_dead(leases: LeaseBook, roll: Roll) -> list[Lease]:
    """Let the leases of runs whose process died run out now, and return them; nobody will renew them any more."""
    held = (lease for lease in leases.all() if lease.is_held(datetime.now(UTC)))
    return [lease for lease in held if _is_dead(roll, lease.holder) and leases.end(lease)]


def _is_dead(roll: Roll, run: str | None) -> bool:
    """Whether the process that carried `run` is known to be dead; a run that never was on the roll may live."""
    presence = roll.find(run) if run else None
    return presence is not None and not presence.is_alive
