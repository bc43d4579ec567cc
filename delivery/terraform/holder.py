"""Whether whoever holds a state is dead: proven, or not known."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import psutil
from pydantic import ValidationError

from delivery.changes.processes import here, started
from delivery.model import Model
from delivery.ports.heartbeats import Whereabouts

MARK = "HEADWAY_STACK"  # in the environment of every Terraform that this platform starts
PROGRAM = "terraform"


class Attempt(Model):
    """That a process was about to start Terraform for a stack, which has no more than until `ends` then."""

    where: Whereabouts
    process: int
    started: float
    at: datetime
    ends: datetime

    @property
    def was_cut_off(self) -> bool:
        """Whether the process is known to be gone: nobody removed the note at the end."""
        return self.where == here() and bool(self.where.boot) and started(self.process) != self.started


@contextmanager
def attempt(folder: Path, seconds: float) -> Iterator[None]:
    """Have a note in `folder` while Terraform runs, which stays when this process dies in between."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now, own = datetime.now(UTC), os.getpid()
    for file, earlier in _attempts(folder):
        if earlier.was_cut_off and earlier.ends < now:
            file.unlink(missing_ok=True)
    note = Attempt(where=here(), process=own, started=started(own) or 0, at=now, ends=now + timedelta(seconds=seconds))
    file = folder / f"{token_hex(8)}.json"
    file.write_text(note.model_dump_json())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Remove the notes of those that were cut off: what they held is free."""
    for file, one in _attempts(folder):
        if one.was_cut_off:
            file.unlink(missing_ok=True)


def is_dead(lock: Mapping[str, str], folder: Path, mark: str) -> bool:
    """Whether the holder of a lock is known to be dead.

    That is so when the lock was taken on this host in the time that a process of this platform had, which was cut off,
    and no Terraform runs here but for stacks that are marked as others. Of any other lock nothing is known.
    """
    try:
        taken = datetime.fromisoformat(lock["Created"].replace(" +0000 UTC", "+00:00"))
    except (KeyError, ValueError):
        return False
    ours = any(one.was_cut_off and one.at <= taken <= one.ends for _, one in _attempts(folder))
    on_this_host = lock.get("Who", "").rpartition("@")[2] == here().hostname
    return ours and on_this_host and not any(_may_hold(process, mark) for process in psutil.process_iter())


def _may_hold(process: psutil.Process, mark: str) -> bool:
    """Whether a process may be the holder: one that cannot be asked may be."""
    try:
        if not process.name().startswith(PROGRAM) or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get(MARK, mark) == mark
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, OSError):
        return True


def _attempts(folder: Path) -> Iterator[tuple[Path, Attempt]]:
    for file in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError, ValidationError):
            yield file, Attempt.model_validate_json(file.read_text())
