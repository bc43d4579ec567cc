"""What was in a database when a snapshot of it was taken: kept in the home, since RDS knows nothing of rows.

A snapshot is of one moment between two looks. What is the same in both was so at that moment; of a sequence that went
on, its bounds are known; what else changed between them is not compared. As a copy of a disk it has of a sequence what
stands in the server's log; a dump has the number that was given out last. What is in no log is empty in it
(https://www.postgresql.org/docs/current/sql-createtable.html, UNLOGGED).
"""

import secrets
import shutil
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

from delivery.changes.kept import read_proof, read_written, write_private
from delivery.errors import Rejected
from delivery.home import Home
from delivery.model import Model
from delivery.ports.backups import BackupProof, counted_states
from delivery.ports.table_states import SENTINEL, TableState
from delivery.programs.postgres import sentinel_of
from delivery.programs.postgres_managed import LOGGED

FIRST, LOOK, PROOF, COPY = "first.json", "look.json", "proof.json", "copy"
Thing = tuple[str, str]


class Look(Model):
    """What is in the database, and the token of what was written just before."""

    token: str
    marked: datetime
    states: tuple[TableState, ...]
    moved: tuple[Thing, ...] = ()
    tables: int = 0
    rows: int = 0
    rpo_seconds: float = 0


class Looks:
    """The looks at one environment's database, a folder for each snapshot."""

    def __init__(self, home: Home, app: str, environment: str) -> None:
        self.folder = home.backups / app / environment

    def begun(self, snapshot: str) -> Look | None:
        """Return the look before a snapshot; none when nobody looked, or it is not known here, or not any more."""
        try:
            return _read(self.folder / snapshot / FIRST)
        except Rejected:
            return None

    def begin(self, snapshot: str, look: Look) -> None:
        """Keep the look before a snapshot."""
        folder = self.folder / snapshot
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        write_private(folder / FIRST, look.model_dump_json().encode())

    def begin_with(self, name: str, make: Callable[[str], Look]) -> Look:
        """Return the look before: of a token that is kept first, unless there is a whole one already.

        So whoever comes after a kill knows which mark was written, and goes on with it.
        """
        kept = self.begun(name)
        if kept and kept.states:
            return kept
        token = kept.token if kept else secrets.token_hex(16)
        self.begin(name, Look(token=token, marked=datetime.now(UTC), states=()))
        look = make(token)
        self.begin(name, look)
        return look

    def abandoned(self, beginning: str, before: datetime) -> tuple[str, ...]:
        """Return the names of looks that begin so, of which there is no copy, and that were begun before a moment."""
        found = sorted(one for one in self.folder.glob(f"{beginning}*") if not (one / COPY).exists())
        begun = {one.name: self.begun(one.name) for one in found}
        return tuple(name for name, look in begun.items() if look and look.marked < before)

    def finish(self, snapshot: str, after: tuple[TableState, ...], ended: datetime) -> Look:
        """Keep what is known of the moment of a snapshot, by the looks before and after it, and return that."""
        first = self.begun(snapshot)
        assert first
        states, moved = at_a_moment_between(first.states, after, mark=sentinel_of(first.token))
        tables, rows = counted_states(after)
        look = first.model_copy(
            update={
                "states": states,
                "moved": moved,
                "tables": tables,
                "rows": rows,
                "rpo_seconds": (ended - first.marked).total_seconds(),
            }
        )
        write_private(self.folder / snapshot / LOOK, look.model_dump_json().encode())
        return look

    def of(self, snapshot: str) -> Look | None:
        """Return what is known of the moment of a snapshot; none of one that Headway did not take, or not here.

        Raises Rejected when that cannot be read any more.
        """
        return _read(self.folder / snapshot / LOOK)

    def keep_proof(self, snapshot: str, proof: BackupProof) -> None:
        """Write down what a restore showed."""
        write_private(self.folder / snapshot / PROOF, proof.model_dump_json(indent=2).encode())

    def proof(self, snapshot: str) -> BackupProof | None:
        """Return what a restore showed; none when there was none."""
        return read_proof(self.folder / snapshot / PROOF, 0)

    def keep_copy(self, name: str, copy: str) -> None:
        """Write down which copy in a second region is of a look."""
        write_private(self.folder / name / COPY, copy.encode())

    def of_copy(self, copy: str) -> Look | None:
        """Return what is known of the moment of a copy in a second region; none of one that Headway did not send."""
        found = (one.parent.name for one in self.folder.glob(f"*/{COPY}") if one.read_text() == copy)
        return next((look for name in found if (look := self.of(name))), None)

    def forget_copies(self, kept: Collection[str]) -> None:
        """Remove what is known of copies that are not among those that are `kept`."""
        for one in list(self.folder.glob(f"*/{COPY}")):
            if one.read_text() not in kept:
                self.forget(one.parent.name)

    def forget(self, snapshot: str) -> None:
        """Remove what is known of a snapshot."""
        shutil.rmtree(self.folder / snapshot, ignore_errors=True)


def at_a_moment_between(
    first: tuple[TableState, ...], second: tuple[TableState, ...], mark: str = ""
) -> tuple[tuple[TableState, ...], tuple[Thing, ...]]:
    """Return what is known of a moment between two looks, and what changed between them.

    The `mark`, which nobody removes before that moment, was there when the first look saw it.
    """
    was, now = ({(one.kind, one.name): one for one in of_disk(look)} for look in (first, second))
    states, moved = [], []
    for key in sorted(was.keys() | now.keys()):
        before, after = was.get(key), now.get(key)
        if before and (before == after or key == (SENTINEL, mark)):
            states.append(before)
        elif before and after and key[0] == LOGGED:
            states.append(after.model_copy(update={"earlier": before.rows}))
        else:
            moved.append(key)
    return tuple(states), tuple(moved)


def of_disk(states: tuple[TableState, ...]) -> tuple[TableState, ...]:
    """Return what of a look is the same on a copy of the disk."""
    return tuple(one for one in states if one.kind != "sequence")


def of_dump(states: tuple[TableState, ...]) -> tuple[TableState, ...]:
    """Return what of a look is the same in a database that was made of a dump."""
    return tuple(one for one in states if one.kind != LOGGED)


def comparable(look: Look, copy: tuple[TableState, ...]) -> tuple[tuple[TableState, ...], tuple[TableState, ...]]:
    """Return what of a look, and of one at a copy of the disk, is the same when nothing is wrong.

    Neither what changed while the snapshot was taken, nor what the copy says is unlogged, is.
    """
    left_out = {*look.moved, *((one.kind, one.name) for one in copy if one.unlogged)}
    return _without(look.states, left_out), _without(of_disk(copy), left_out)


def _without(states: tuple[TableState, ...], left_out: Collection[Thing]) -> tuple[TableState, ...]:
    return tuple(one for one in states if (one.kind, one.name) not in left_out)


def _read(path: Path) -> Look | None:
    try:
        return read_written(Look, path)
    except FileNotFoundError:
        return None
    except Rejected as error:
        raise Rejected(f"{error}\n  next: remove it; then what is in the snapshot is compared with nothing") from error
