"""The database of an environment: one file, for its owner alone, and its backups."""

import shutil
import time
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from delivery.ports.backups import SENTINEL, BackupProof, TableState, prove
from delivery.ports.database import DatabaseAccess
from delivery.spec.app import App
from tests.places.folder_place.files import Data, Files, Table, write

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

    def ensure(self) -> DatabaseAccess:
        if not self.files.database.exists():
            name = self.app.database.name if self.app.database else "app"
            write(self.files.database, Data(name=name, password=token_hex(16)))
        found = self.find()
        assert found
        return found


class FolderBackups:
    """Copies the file, reads the copy elsewhere, and damages it to see that this is noticed."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def prove(self, run: str) -> BackupProof | None:
        own = self.files.database
        if not own.exists():
            return None
        original, sentinel, started = read(own), f"{run}-{token_hex(4)}", time.monotonic()
        write(own, _with_rows(original, MARKS, (sentinel,)))
        try:
            with TemporaryDirectory() as folder:
                copy = Path(shutil.copyfile(own, Path(folder) / "restored.json"))
                size, written = copy.stat().st_size, time.monotonic()
                restored = read(copy)
                damaged = Data(name=restored.name, password="", tables={name: Table() for name in restored.tables})
                return prove(
                    _states(read(own), sentinel),
                    _states(restored, sentinel),
                    _states(damaged, sentinel),
                    sentinel=sentinel,
                    size_bytes=size,
                    rpo_seconds=written - started,
                    rto_seconds=max(time.monotonic() - written, 0.001),
                )
        finally:
            write(own, original)


def read(path: Path) -> Data:
    """Return the database in a file."""
    return Data.model_validate_json(path.read_bytes())


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
