"""Which runs have a living process on this machine: the orchestrator alone cannot tell after a kill -9."""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import ValidationError

from delivery.model import Model


class Presence(Model):
    """The process that carries a run."""

    run: str
    process: int
    started: float
    attempts: int = 1

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

    def enter(self, run: str) -> Presence:
        """Write down that this process carries `run`."""
        self.root.mkdir(parents=True, exist_ok=True)
        earlier = self.find(run)
        presence = Presence(
            run=run,
            process=os.getpid(),
            started=psutil.Process().create_time(),
            attempts=earlier.attempts + 1 if earlier else 1,
        )
        beside = self._path(run).with_suffix(".new")
        beside.write_text(presence.model_dump_json())
        beside.replace(self._path(run))
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
        present = (self.find(path.stem) for path in self.root.glob("*.json"))
        return {presence.run for presence in present if presence and presence.is_alive}

    def _path(self, run: str) -> Path:
        return self.root / f"{run}.json"
