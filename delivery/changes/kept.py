"""The backups of an environment in a folder of their own: whole or not there at all, and for their owner alone."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.model import Model
from delivery.ports.backups import BackupProof, KeptBackup
from delivery.ports.table_states import TableState
from delivery.spec.backups import BackupPolicy

RECORD, PROOF, LOOK = "backup.json", "proof.json", "look.json"
UNFINISHED = "."  # what such a folder begins with
STALE_SECONDS = 86400.0  # nobody is a day over one backup
SHOWN = 5
Written = TypeVar("Written", bound=Model)


class Look(Model):
    """What was in the database at the moment of its backup, and the token of what was written just before."""

    token: str
    states: tuple[TableState, ...]
    backup: str = Field("", description="the name of the backup that it belongs to")
    server: str = Field("", description="its version, like 15.4")
    database_bytes: int = Field(0, description="what it took on the server's disk")


class BackupFolder:
    """The kept backups of one environment."""

    def __init__(self, home: Home, app: str, environment: str) -> None:
        self.app, self.environment = app, environment
        self.folder = home.backups / app / environment

    @contextmanager
    def adding(self) -> Iterator[tuple[str, Path]]:
        """Yield the name of a new backup and a folder for its files; it is kept once the body ends well.

        Then `write_record` was called and all of it is on the disk. Of a body that fails nothing stays.
        """
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        name = f"{moment}-{secrets.token_hex(2)}"
        self._forget_unfinished()
        unfinished = self.folder / f"{UNFINISHED}{name}"
        unfinished.mkdir(parents=True, mode=0o700)
        self.folder.chmod(0o700)
        try:
            yield name, unfinished
            for file in unfinished.iterdir():
                _sync(file)
            _sync(unfinished)
            unfinished.rename(self.folder / name)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def write_record(self, folder: Path, backup: KeptBackup, look: Look) -> None:
        """Write down what a new backup is of."""
        write_private(folder / RECORD, backup.model_dump_json(indent=2, exclude={"where", "proof"}).encode())
        write_private(folder / LOOK, look.model_dump_json().encode())

    def all(self) -> tuple[KeptBackup, ...]:
        """Return what is kept, the newest first; what cannot be read any more is damaged, and never expires."""
        found = [self._read(record.parent) for record in self.folder.glob(f"[!{UNFINISHED}]*/{RECORD}")]
        return tuple(sorted((one for one in found if one), key=lambda one: (one.at, one.name), reverse=True))

    def find(self, name: str) -> tuple[KeptBackup, Path]:
        """Return a backup and its folder; `name` may be shortened, `latest` is the newest that can be read.

        Raises Misconfigured when there is no such one, Rejected when it cannot be read.
        """
        known = self.all()
        readable = [one for one in known if not one.unreadable]
        matching = readable[:1] if name == "latest" else [one for one in known if one.name.startswith(name)]
        if len(matching) != 1:
            found = "is not kept" if not matching else "fits several"
            allowed = ", ".join(one.name for one in known[:SHOWN]) or "none is kept"
            raise Misconfigured(
                f"backup {name} of {self.environment} of {self.app}",
                found,
                allowed,
                "headway backups shows all of them",
            )
        if matching[0] not in readable:
            raise Rejected(f"backup {matching[0].name} cannot be restored: {_told(matching[0])}")
        return matching[0], self.folder / matching[0].name

    def look(self, folder: Path) -> Look:
        """Return what was in the database that the backup in `folder` is of.

        Raises Rejected when that is of another one, or cannot be read.
        """
        try:
            look = read_written(Look, folder / LOOK)
        except FileNotFoundError as error:
            raise Rejected(f"{folder / LOOK} is not there: what the backup held is not known") from error
        if look.backup not in ("", folder.name):
            raise Rejected(f"what lies in the folder of backup {folder.name} is of backup {look.backup}")
        return look

    def keep_proof(self, folder: Path, proof: BackupProof) -> None:
        """Write down what a restore showed."""
        write_private(folder / PROOF, proof.model_dump_json(indent=2).encode())

    def forget(self, name: str) -> None:
        """Remove a backup; first it is none any more, then its files go."""
        gone = self.folder / f"{UNFINISHED}{name}"
        try:
            (self.folder / name).rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def _read(self, folder: Path) -> KeptBackup | None:
        try:
            kept = read_written(KeptBackup, folder / RECORD)
        except FileNotFoundError:  # removed meanwhile
            return None
        except Rejected as error:
            return self._unreadable(folder, str(error))
        return kept.model_copy(update={"where": str(folder), "proof": read_proof(folder / PROOF, kept.size_bytes)})

    def _unreadable(self, folder: Path, problem: str) -> KeptBackup:
        """Return what the folder itself says of a backup: somebody who looks into it may save more than that."""
        try:
            at = datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            at = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        size = sum(file.stat().st_size for file in folder.iterdir())
        return KeptBackup(
            name=folder.name,
            app=self.app,
            environment=self.environment,
            database="",
            at=at,
            reason="by hand",
            run="",
            size_bytes=size,
            tables=0,
            rows=0,
            rpo_seconds=0,
            where=str(folder),
            unreadable=True,
            proof=proof_of_damage(problem, size_bytes=size),
        )

    def _forget_unfinished(self) -> None:
        """Remove what a process that died left of a backup."""
        for folder in self.folder.glob(f"{UNFINISHED}*"):
            if folder.is_dir() and folder.stat().st_mtime < time.time() - STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def expired(kept: Sequence[KeptBackup], policy: BackupPolicy, now: datetime) -> list[KeptBackup]:
    """Return the backups that are kept no longer: too old, or with enough newer ones for the same reason.

    The newest of all, and the newest that was proven, always stay: of an application that nobody delivers any more too.
    Those that are the place's own are the place's to remove, and of those that cannot be read nobody knows what goes.
    """
    own_ones = [one for one in kept if not one.of_the_place and not one.unreadable]
    newest_first = sorted(own_ones, key=lambda one: (one.at, one.name), reverse=True)
    proven = [one for one in newest_first if one.proof and one.proof.outcome == "pass"]
    stay = {one.name for one in (*newest_first[:1], *proven[:1])}
    gone = []
    for reason in {one.reason for one in newest_first}:
        own = [one for one in newest_first if one.reason == reason]
        gone += own[policy.keep :]
        gone += [one for one in own[: policy.keep] if one.at < now - timedelta(days=policy.keep_days)]
    return [one for one in gone if one.name not in stay]


def proof_of_damage(problem: str, *, size_bytes: int, rpo_seconds: float = 0) -> BackupProof:
    """Return what is known of a backup that does not come back at all."""
    return BackupProof(
        outcome="fail",
        differences=(problem,),
        tables=0,
        rows=0,
        size_bytes=size_bytes,
        rpo_seconds=rpo_seconds,
        rto_seconds=0,
    )


def read_proof(path: Path, size_bytes: int) -> BackupProof | None:
    """Return what a restore showed; none when there was none. One that cannot be read any more is no good one."""
    try:
        return read_written(BackupProof, path)
    except FileNotFoundError:
        return None
    except Rejected as error:
        return proof_of_damage(str(error), size_bytes=size_bytes)


def read_written(kind: type[Written], path: Path) -> Written:
    """Return what was written down in a file; Rejected when that is cut off or not of its `kind`."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise Rejected(f"{path} cannot be read: {error.errors()[0]['msg']}") from error


def _told(damaged: KeptBackup) -> str:
    return "; ".join(damaged.proof.differences) if damaged.proof else ""


def write_private(path: Path, content: bytes) -> None:
    """Put `content` into a file that is whole at every moment and that its owner alone may read."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
