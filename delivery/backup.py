"""What makes a backup a backup: it was restored elsewhere, and what came back is what was there."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from delivery.model import Model

Key = tuple[str, str]  # kind and name


class TableState(Model):
    """A table, a sequence or a part of the schema at one moment."""

    kind: str
    name: str
    rows: int
    checksum: str
    earlier: int | None = Field(None, description="what a sequence showed before the backup began")

    @property
    def moved(self) -> bool:
        """Whether a sequence went on while the backup was made."""
        return self.earlier is not None and self.earlier != self.rows

    def holds(self, copy: "TableState") -> bool:
        """Whether the copy's number may be that of a backup of this: no snapshot holds a sequence still."""
        bounds = sorted((self.rows if self.earlier is None else self.earlier, self.rows))
        return bounds[0] <= copy.rows <= bounds[1]


class BackupProof(Model):
    """What a restore showed."""

    outcome: Literal["pass", "fail"]
    differences: tuple[str, ...] = ()
    tables: int
    rows: int
    size_bytes: int
    rpo_seconds: float = Field(description="from the newest row that is in the copy to the end of the backup")
    rto_seconds: float = Field(description="from the decision to restore until the copy answered, checked")


def compare(before: tuple[TableState, ...], after: tuple[TableState, ...]) -> tuple[str, ...]:
    """Return what differs between two looks at a database, one line each."""
    was = {(state.kind, state.name): state for state in before}
    now = {(state.kind, state.name): state for state in after}
    return tuple(f"{' '.join(key)}{problem}" for key, problem in _differences(was, now))


def _differences(was: Mapping[Key, TableState], now: Mapping[Key, TableState]) -> Iterator[tuple[Key, str]]:
    for key in sorted(was.keys() | now.keys()):
        if key not in now:
            yield key, " is missing in the copy"
        elif key not in was:
            yield key, " is only in the copy"
        elif not was[key].holds(now[key]):
            yield key, f": {was[key].rows} in the database, {now[key].rows} in the copy"
        elif was[key].checksum != now[key].checksum and not was[key].moved:
            yield key, ": the same number, but other content in the copy"


def prove(
    before: tuple[TableState, ...],
    after: tuple[TableState, ...],
    damaged: tuple[TableState, ...],
    *,
    sentinel: str,
    size_bytes: int,
    rpo_seconds: float,
    rto_seconds: float,
) -> BackupProof:
    """Return the proof: `after` is as `before`, and `damaged`, a copy with a row taken away, is seen to differ."""
    differences = list(compare(before, after))
    if not any(state.kind == "table" and sentinel in state.name and state.rows for state in after):
        differences.append("the row written just before the backup is not in the copy")
    if not compare(before, damaged):
        differences.append("a row was taken out of the copy and the comparison did not see it")
    tables = [state for state in after if state.kind == "table" and sentinel not in state.name]
    return BackupProof(
        outcome="fail" if differences else "pass",
        differences=tuple(differences),
        tables=len(tables),
        rows=sum(state.rows for state in tables),
        size_bytes=size_bytes,
        rpo_seconds=round(rpo_seconds, 3),
        rto_seconds=round(rto_seconds, 3),
    )
