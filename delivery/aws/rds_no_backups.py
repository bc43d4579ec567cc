"""The backups of an environment without a database on RDS: there are none."""

from datetime import datetime
from typing import NoReturn

from delivery.errors import Misconfigured
from delivery.ports.backups import BackupProof, KeptBackup, Masked, Reason, Restored
from delivery.ports.drills import Drill, LiveCode, Reach
from delivery.spec.masking import Masking


class NoBackups:
    """The backups of an environment without a database on RDS: there are none."""

    def __init__(self, environment: str) -> None:
        self.environment = environment

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Return none."""
        return None

    def kept(self) -> tuple[KeptBackup, ...]:
        """Return none."""
        return ()

    def prove(self, name: str, run: str) -> BackupProof:
        """Raise Misconfigured."""
        self._refuse(name)

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Raise Misconfigured."""
        self._refuse(name)

    def reach(self) -> Reach | None:
        """Return none: there is no database."""
        return None

    def drill(self, run: str, *, deadline_seconds: float, live: LiveCode | None = None) -> Drill | None:
        """Return none: there is no database."""
        return None

    def restore_at(self, at: datetime, into: str, run: str) -> Restored:
        """Raise Misconfigured."""
        self._refuse(at.isoformat())

    def restore_masked(self, source: str, name: str, into: str, masking: Masking, run: str) -> Masked:
        """Raise Misconfigured."""
        self._refuse(name)

    def sweep(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def forget(self, name: str) -> None:
        """Do nothing."""

    def _refuse(self, name: str) -> NoReturn:
        raise Misconfigured(f"backup {name} of {self.environment}", "is not kept", "none is kept")
