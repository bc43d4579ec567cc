"""The database of an environment: one file, for its owner alone, and its backups."""

import os
import signal
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.ports.backups import BackupProof, KeptBackup, Masked, Reason, Restored, no_moments, prove
from delivery.ports.database import DatabaseAccess, Ended
from delivery.ports.drills import LiveCode, Reach
from delivery.ports.table_states import SENTINEL, TableState
from delivery.spec.app import App
from delivery.spec.masking import Masking
from tests.places.folder_place.files import Data, Files, Table, write

M = TypeVar("M", bound=Model)
MARKS = "headway"  # the table that a backup is known by


class FolderDatabase:
    """The database of an application in a file."""

    def __init__(self, app: App, files: Files) -> None:
        self.app, self.files = app, files

    def find(self) -> DatabaseAccess | None:
        if not self.files.database.exists():
            return None
        data = read(self.files.database)
        return DatabaseAccess(name=data.name, password=SecretStr(data.password))

    def holds_data(self) -> bool:
        return self.files.database.exists()

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        if not self.files.database.exists():
            name = self.app.database.name if self.app.database else "app"
            write(self.files.database, Data(name=name, password=token_hex(16)))
        found = self.find()
        assert found
        return found

    def beside(self) -> tuple[str, ...]:
        data = read(self.files.database) if self.files.database.exists() else None
        return (data.name, *sorted(data.beside)) if data else ()

    def use(self, name: str) -> str:
        data, kept_as = self._with(name), f"until_{token_hex(4)}"
        others = {other: tables for other, tables in data.beside.items() if other != name}
        used = {"tables": data.beside[name], "beside": {**others, kept_as: data.tables}}
        write(self.files.database, data.model_copy(update=used))
        return kept_as

    def drop(self, name: str) -> None:
        data = self._with(name)
        others = {other: tables for other, tables in data.beside.items() if other != name}
        write(self.files.database, data.model_copy(update={"beside": others}))

    def drop_unfinished(self) -> tuple[str, ...]:
        """Return that there is nothing: a file has no indexes."""
        return ()

    def end_migration(self, run: str) -> Ended:
        try:
            os.kill(int(self.files.process(run).read_text() or 0), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return Ended()
        return Ended(containers=1)

    def _with(self, name: str) -> Data:
        data = read(self.files.database)
        if name not in data.beside:
            found = "is what the application uses" if name == data.name else "is not there"
            raise Misconfigured(f"database {name}", found, ", ".join(data.beside) or "none")
        return data


class FolderBackups:
    """Copies the file beside the environment, reads the copy, and damages it to see that this is noticed."""

    def __init__(self, app: App, files: Files, environment: str) -> None:
        self.app, self.files, self.environment = app, files, environment

    def reach(self) -> Reach | None:
        return None

    def drill(self, run: str, *, deadline_seconds: float, live: LiveCode | None = None) -> None:
        return None

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        if not self.files.database.exists():
            return None
        original, sentinel, at = read(self.files.database), f"{run}-{token_hex(4)}", datetime.now(UTC)
        data = _with_rows(original, MARKS, (sentinel,)).model_copy(update={"beside": {}})
        kept = KeptBackup(
            name=f"{at:%Y%m%d%H%M%S%f}",
            app=self.app.app,
            environment=self.environment,
            database=data.name,
            at=at,
            reason=reason,
            run=run,
            size_bytes=len(data.model_dump_json()),
            tables=len(original.tables),
            rows=sum(len(table.rows) for table in original.tables.values()),
            rpo_seconds=0.001,
            where=str(self.files.backups),
        )
        self._write(Backup(kept=kept, data=data, sentinel=sentinel))
        return kept

    def kept(self) -> tuple[KeptBackup, ...]:
        return tuple(backup.kept for backup in self._all())

    def prove(self, name: str, run: str) -> BackupProof:
        backup, started = self._find(name), time.monotonic()
        damaged = Data(name=backup.data.name, password="", tables={name: Table() for name in backup.data.tables})
        proof = prove(
            _states(backup.data, backup.sentinel),
            _states(read(self.files.backups / backup.kept.name, Backup).data, backup.sentinel),
            _states(damaged, backup.sentinel),
            sentinel=backup.sentinel,
            size_bytes=backup.kept.size_bytes,
            rpo_seconds=backup.kept.rpo_seconds,
            rto_seconds=max(time.monotonic() - started, 0.001),
        )
        self._write(backup.model_copy(update={"kept": backup.kept.model_copy(update={"proof": proof})}))
        return proof

    def restore(self, name: str, into: str, run: str) -> Restored:
        backup, own = self._find(name), FolderDatabase(self.app, self.files)
        own.ensure(anew=True)
        if into in own.beside():
            raise Misconfigured(f"database {into}", "is there already", "another name")
        data = read(self.files.database)
        tables = {name: table for name, table in backup.data.tables.items() if name != MARKS}
        write(self.files.database, data.model_copy(update={"beside": {**data.beside, into: tables}}))
        kept = backup.kept
        return Restored(backup=kept.name, database=into, tables=kept.tables, rows=kept.rows, seconds=0.001)

    def sweep(self) -> tuple[str, ...]:
        return ()

    def restore_at(self, at: datetime, into: str, run: str) -> Restored:
        raise no_moments(self.environment)

    def restore_masked(self, source: str, name: str, into: str, masking: Masking, run: str) -> Masked:
        if source != self.environment:
            raise Misconfigured(f"backups of {source}", "are in a folder of their own", self.environment)
        restored = self.restore(name, into, run)
        return Masked(**restored.model_dump(), columns=0, emptied=0)

    def forget(self, name: str) -> None:
        (self.files.backups / name).unlink(missing_ok=True)

    def _all(self) -> list["Backup"]:
        paths = sorted(self.files.backups.glob("*"), reverse=True)
        return [read(path, Backup) for path in paths]

    def _find(self, name: str) -> "Backup":
        found = [one for one in self._all() if name in ("latest", one.kept.name)]
        if not found:
            raise Misconfigured(f"backup {name}", "is not kept", "none is kept")
        return found[0]

    def _write(self, backup: "Backup") -> None:
        write(self.files.backups / backup.kept.name, backup)


class Backup(Model):
    """A file of a backup: what is known of it, what it holds, and what it is known by."""

    kept: KeptBackup
    data: Data
    sentinel: str


def read(path: Path, model: type[M] = Data) -> M:
    """Return what is in a file."""
    return model.model_validate_json(path.read_bytes())


def _with_rows(data: Data, table: str, rows: tuple[str, ...]) -> Data:
    return data.model_copy(update={"tables": {**data.tables, table: Table(rows=rows)}})


def _states(data: Data, sentinel: str) -> tuple[TableState, ...]:
    tables = {name: table.rows for name, table in data.tables.items() if name != MARKS}
    found = int(sentinel in data.tables[MARKS].rows)
    mark = TableState(kind=SENTINEL, name=sentinel, rows=found, checksum=str(found))
    return (
        mark,
        *(TableState(kind="table", name=name, rows=len(rows), checksum=_sum(rows)) for name, rows in tables.items()),
    )


def _sum(rows: tuple[str, ...]) -> str:
    return sha256("\n".join(rows).encode()).hexdigest()
