"""Drills: going back to a moment just now, elsewhere, and what that has to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from delivery.counting import counted
from delivery.model import Model
from delivery.ports.rehearsals import CodeVersion
from delivery.ports.table_states import SENTINEL, TableState

DrillOutcome = Literal["pass", "fail", "unknown", "broken"]


class Drill(Model):
    """What going back showed. `unknown` is no pass: a check could not be made; `broken`: damage was not noticed."""

    at: datetime
    outcome: DrillOutcome
    where: str = Field("", description="of a second place: the region and the vault whose copy was restored")
    problems: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = Field((), description="what could not be checked there, and why")
    tables: int = 0
    rows: int = 0
    rto_seconds: float = 0
    rpo_seconds: float = Field(0, description="how old the newest row was that came back, at the moment gone back to")


@dataclass(frozen=True)
class LiveCode:
    """The release that is live, which is started on a copy; `suites`, with their `secrets`, only read what is there."""

    code: CodeVersion
    logs: Path
    suites: tuple[str, ...] = ()
    secrets: Mapping[str, Mapping[str, SecretStr]] = field(default_factory=dict, repr=False)


UNNOTICED = "damage to the copy was not noticed"
FLOOR_PERCENT = 90  # of a table's rows: those in use go on changing while a copy is made


def table_rows(states: tuple[TableState, ...]) -> dict[str, int]:
    """Return the rows of each table in a look."""
    return {one.name: one.rows for one in states if one.kind == "table" and not one.definition}


def filled_tables(states: tuple[TableState, ...]) -> list[str]:
    """Return the tables in a look that have rows, in its order."""
    return [name for name, rows in table_rows(states).items() if rows]


def judge_drill(copy: tuple[TableState, ...], *, sentinel: str, in_use: Mapping[str, int]) -> tuple[str, ...]:
    """Return what is wrong with a copy of the database that is in use: it is an older one, or lacks tables or rows."""
    problems = []
    if not any((state.kind, state.name, state.rows) == (SENTINEL, sentinel, 1) for state in copy):
        problems.append("what was written just before is not in the copy: it is older than it says")
    rows, unlogged = table_rows(copy), {one.name for one in copy if one.unlogged}
    for name, count in sorted(in_use.items()):
        if name in unlogged:  # its rows are in no log
            continue
        if name not in rows:
            problems.append(f"{name} is missing in the copy")
        elif 100 * rows[name] < FLOOR_PERCENT * count:
            problems.append(f"{name}: {rows[name]} of {counted(count, 'row')} in the copy")
    return tuple(problems)


def outcome_of(problems: Sequence[str], unchecked: Sequence[str], *, notices: bool) -> DrillOutcome:
    """Return what a drill comes to: what is wrong first, then whether it would have been seen, then what was not."""
    if problems:
        return "fail"
    if not notices:
        return "broken"
    return "unknown" if unchecked else "pass"


def told_of(problems: Sequence[str], *, notices: bool) -> tuple[str, ...]:
    """Return the problems to tell of a drill: not to notice damage to its own copy is one as well."""
    return tuple(problems) or (() if notices else (UNNOTICED,))


@dataclass(frozen=True)
class Reach:
    """The moments that can be gone back to, and how large what leads there is."""

    earliest: datetime
    latest: datetime
    size_bytes: int
