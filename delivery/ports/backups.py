"""What makes a backup a backup: it was restored elsewhere, and what came back is what was there."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import Field, field_validator

from delivery.counting import counted
from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.ports.drills import Drill, LiveCode, Reach
from delivery.ports.table_states import SENTINEL, TableState
from delivery.spec.masking import Masking

Key = tuple[str, str, bool]  # kind, name, and whether it is about how it is defined
Reason = Literal["by hand", "before a migration", "by schedule", "of a moment"]
NOT_OF_A_DATABASE = ("role", SENTINEL)  # roles belong to a server, which has others by now; the other is ours


class BackupProof(Model):
    """What a restore showed."""

    outcome: Literal["pass", "fail"]
    differences: tuple[str, ...] = ()
    tables: int
    rows: int
    size_bytes: int
    rpo_seconds: float = Field(description="from the newest row that is in the copy to the end of the backup")
    rto_seconds: float = Field(description="from the decision to restore until the copy answered; compared after that")
    moved: int = Field(0, description="tables and other things that changed while it was taken, and were not compared")


def compare(
    before: tuple[TableState, ...], after: tuple[TableState, ...], rewritten: tuple[TableState, ...] = ()
) -> tuple[str, ...]:
    """Return what differs between two looks at a database, one line each.

    The server writes some definitions down in other words once they were read in again. `rewritten` are those of the
    database after that: a definition of the copy may be as either of them.
    """
    was, now, again = _by_key(before), _by_key(after), _by_key(rewritten)
    found = (
        f"{_shown(' '.join(key[:2]))}{problem}"
        for key, problem in _differences(was, now)
        if not (key in was and key in now and now[key].definition and again.get(key) == now[key])
    )
    return tuple(dict.fromkeys(found))  # what is missing has no definition either


def differs_in_definitions(before: tuple[TableState, ...], after: tuple[TableState, ...]) -> bool:
    """Tell whether something that is in both is not defined in the same words."""
    was, now = _by_key(before), _by_key(after)
    return any(now[key].definition and was[key] != now[key] for key in was.keys() & now.keys())


def _by_key(states: tuple[TableState, ...]) -> dict[Key, TableState]:
    return {(state.kind, state.name, state.definition): state for state in states}


def _shown(name: str) -> str:
    """Return a name in one line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def _differences(was: Mapping[Key, TableState], now: Mapping[Key, TableState]) -> Iterator[tuple[Key, str]]:
    for key in sorted(was.keys() | now.keys()):
        if key not in now:
            yield key, " is missing in the copy"
        elif key not in was:
            yield key, " is only in the copy"
        elif not was[key].holds(now[key]):
            yield key, f": {was[key].rows} in the database, {now[key].rows} in the copy"
        elif was[key].checksum != now[key].checksum and not was[key].moved:
            yield key, f": {_how_it_differs(was[key], now[key])}"


def _how_it_differs(was: TableState, now: TableState) -> str:
    if was.definition:
        return "not defined in the copy as it is in the database"
    match was.kind:
        case "table":
            return "as many rows, but other content in the copy"
        case "materialized view":
            return f"{was.checksum} in the database, {now.checksum} in the copy"
        case _:
            return "not the same in the copy"


def prove(
    before: tuple[TableState, ...],
    after: tuple[TableState, ...],
    damaged: tuple[TableState, ...],
    *,
    sentinel: str,
    size_bytes: int,
    rpo_seconds: float,
    rto_seconds: float,
    rewritten: tuple[TableState, ...] = (),
    moved: int = 0,
) -> BackupProof:
    """Return the proof: `after` is as `before`, and `damaged`, a copy that lost something, is seen to differ.

    What was taken out of the damaged copy is `sentinel` and, when there is a table with rows, a row. `rewritten` is
    for `compare`.
    """
    differences = list(compare(before, after, rewritten))
    if not any((state.kind, state.name, state.rows) == (SENTINEL, sentinel, 1) for state in after):
        differences.append("what was written just before the backup is not in the copy")
    content = {state for state in after if not state.definition}
    seen = {state.kind for state in content - set(damaged)}
    tables = [state for state in content if state.kind == "table"]
    if SENTINEL not in seen or ("table" not in seen and any(state.rows for state in tables)):
        differences.append("a row was taken out of the copy and the comparison did not see it")
    return BackupProof(
        outcome="fail" if differences else "pass",
        differences=tuple(differences),
        tables=len(tables),
        rows=sum(state.rows for state in tables),
        size_bytes=size_bytes,
        rpo_seconds=round(rpo_seconds, 3),
        rto_seconds=round(rto_seconds, 3),
        moved=moved,
    )


class KeptBackup(Model):
    """A backup that is kept outside of its environment, so that what is lost there is not lost with it."""

    name: str = Field(description="the moment it was taken, and something that makes it the only one of that moment")
    app: str
    environment: str
    database: str = Field(description="what the database was called")
    at: datetime
    reason: Reason
    run: str = Field(description="the run that took it; empty: it is not Headway's")
    size_bytes: int = Field(description="0 where the place does not tell it")
    tables: int = Field(description="0, as rows and rpo_seconds, of one that is not Headway's: a restore alone tells")
    rows: int
    rpo_seconds: float = Field(description="from the newest row that is in it to its end")
    where: str = Field("", description="the folder it is kept in, or what a place calls that")
    of_the_place: bool = Field(False, description="the place's own, or somebody's: Headway never forgets it")
    unreadable: bool = Field(
        False, exclude_if=lambda given: not given, description="what was written down of it was lost; it never expires"
    )
    proof: BackupProof | None = Field(None, description="what its restore showed; none: it was not restored yet")

    @field_validator("at")
    @classmethod
    def _in_utc(cls, at: datetime) -> datetime:
        """Whoever shows it says UTC, and a moment that was asked for may have come with another offset."""
        return at.astimezone(UTC)

    @property
    def proven(self) -> str:
        """Whether it can be restored as it was, in a word."""
        return {None: "not proven", "pass": "proven", "fail": "damaged"}[self.proof.outcome if self.proof else None]


class Restored(Model):
    """A database that a backup was restored into, beside the one that is in use."""

    backup: str
    database: str
    tables: int
    rows: int
    seconds: float = Field(description="RTO: from the decision until it was there, and compared")
    at: datetime | None = Field(None, description="RPO: what was written after it is not there; none: not known")
    beside: tuple[str, ...] = Field((), description="tables of which the database in use holds other rows, in words")


def other_rows(restored: tuple[TableState, ...], in_use: tuple[TableState, ...]) -> tuple[str, ...]:
    """Return a line for each table whose rows are not those of the database in use: what is won, and what is lost."""
    was, now = (
        {one.name: one for one in states if one.kind == "table" and not one.definition} for states in (restored, in_use)
    )
    lines = []
    for name in sorted(was.keys() | now.keys()):
        here, there = was.get(name), now.get(name)
        if here is None or there is None:
            lines.append(f"{name}: only in {'the database in use' if here is None else 'what was restored'}")
        elif (here.rows, here.checksum) != (there.rows, there.checksum):
            lines.append(f"{name}: {counted(here.rows, 'row')}, {there.rows} in the database in use, not the same ones")
    return tuple(lines)


_MOMENTS = "backups.any_second of an environment on a Docker host; a database on RDS"


def no_moments(environment: str) -> Misconfigured:
    """Return the error of a place that keeps backups, and no moments between them."""
    where = f"moment of the database of {environment}"
    return Misconfigured(where, "only backups are kept there", _MOMENTS, "headway restore latest")


class Masked(Restored):
    """A database with the data of another environment, masked, beside the one that is in use."""

    columns: int = Field(description="of which the values were replaced")
    emptied: int = Field(description="tables of which no row went along")


def lacking(backup: tuple[TableState, ...], restored: tuple[TableState, ...]) -> tuple[str, ...]:
    """Return what a restored database does not hold as the backup does, one line each: rows, whatever holds them.

    How everything is defined is what the proof of a backup compares, on a server of its own.
    """
    was, now = (
        tuple(one for one in states if not one.definition and one.kind not in NOT_OF_A_DATABASE)
        for states in (backup, restored)
    )
    return compare(was, now)


def counted_states(states: tuple[TableState, ...]) -> tuple[int, int]:
    """Return how many tables there are in a look, and how many rows in them."""
    tables = [state for state in states if state.kind == "table" and not state.definition]
    return len(tables), sum(state.rows for state in tables)


class Backups(Protocol):
    """Backups of an environment's database, kept where losing the environment does not lose them."""

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Keep a backup of the database as it is now; none when there is no database.

        Raises Rejected when a program fails, or a database that there was is gone; then nothing is kept of it.
        """
        ...

    def reach(self) -> Reach | None:
        """Return which moments can be gone back to; none where changes are not archived."""
        ...

    def drill(self, run: str, *, deadline_seconds: float, live: LiveCode | None = None) -> Drill | None:
        """Go back to a moment just now, elsewhere, and return what that showed; none where nothing is archived.

        Code that is `live` is started on the copy, with secrets that are made up, and its suites are run.

        What was made for it is gone afterwards, and what runs at the deadline is ended: then it has failed.
        """
        ...

    def kept(self) -> tuple[KeptBackup, ...]:
        """Return what is kept, the newest first; also when the environment has lost everything else."""
        ...

    def prove(self, name: str, run: str) -> BackupProof:
        """Restore a kept backup elsewhere, compare it with what was there when it was taken, and keep what that showed.

        What was made for it is removed. Raises Rejected when a program fails, Misconfigured when there is no such one.
        """
        ...

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Restore a kept backup into a new database `into`, beside the one that the application uses.

        Raises Misconfigured when there is no such backup or there is such a database, Rejected when a program fails or
        the rows differ; then the new database is gone again.
        """
        ...

    def restore_at(self, at: datetime, into: str, run: str) -> Restored:
        """Restore the database as it was at a moment into a new database `into`, beside the one in use.

        Raises Misconfigured when the place keeps no such moment, with those that it keeps, or there is such a database;
        Rejected when a program fails: then the new database is gone again.
        """
        ...

    def restore_masked(self, source: str, name: str, into: str, masking: Masking, run: str) -> Masked:
        """Restore a kept backup of the environment `source` of the application, masked, into a new database `into`.

        What is not masked yet is where nobody but Headway reaches it, never on the environment's own server, and is
        gone in any case. Raises Rejected, with all of it, when something looks personal that `masking` does not name,
        or a program fails; Misconfigured when `masking` is not for this database, there is no such backup, or there is
        such a database. Then there is no new one.
        """
        ...

    def sweep(self) -> tuple[str, ...]:
        """Remove what restores and drills left whose process was killed; return what that was, in words."""
        ...

    def forget(self, name: str) -> None:
        """Remove a kept backup for good; nothing happens when it is gone already, or is the place's own."""
        ...
