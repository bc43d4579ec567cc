"""Rehearsals: a migration on a copy, and two versions of the code on the schemas before and after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from delivery.releases.rehearsal import Code, CodeOnSchema, Schema, Statement
from delivery.releases.release import ImageRef
from delivery.spec.app import App

# The smallest first; the old code on the old schema says whether anything is proven at all.
ALL: tuple[tuple[Code, Schema], ...] = (
    ("old", "old"),
    ("new", "old"),
    ("old", "new"),
    ("new", "new"),
    ("old", "written"),
)
ROLLBACK_ONLY: tuple[tuple[Code, Schema], ...] = (("old", "old"), ("old", "new"))


@dataclass(frozen=True)
class CodeVersion:
    """One version of an application: its file, and its images by name; those of suites as `suite-<name>`."""

    app: App
    images: Mapping[str, ImageRef]


@dataclass(frozen=True)
class RehearsalRequest:
    """What is rehearsed; `dump` is a folder with a kept backup, none: the old migrations make the old schema.

    `secrets` are those of suites, by the suite's name. Logs go into the folder `logs`. Of each version's
    migrations those that wait are held back, as they are where they count.
    """

    old: CodeVersion
    new: CodeVersion
    run: str
    logs: Path
    dump: Path | None = None
    secrets: Mapping[str, Mapping[str, SecretStr]] = field(default_factory=dict, repr=False)
    cells: tuple[tuple[Code, Schema], ...] = ALL
    waits: Mapping[Code, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rehearsed:
    """What was seen.

    `problem`: the new migrations failed; `inconclusive`: there was no schema to try them on; `remarks`: what was left.
    """

    applied: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    cells: tuple[CodeOnSchema, ...] = ()
    problem: str = ""
    inconclusive: str = ""
    remarks: tuple[str, ...] = ()
    steps_back: int = 0  # how many were taken back on the way to `reverted`
    back_to: tuple[str, ...] = ()  # the versions that led to, of a tool that names them
    version: str = ""  # of the server, like 15.4


class Rehearsals(Protocol):
    """Runs rehearsals in databases of their own."""

    def rehearse(self, asked: RehearsalRequest) -> Rehearsed:
        """Return what happened; nothing of it is left, and no environment was touched.

        The code is asked in the order of `cells`. Taking the new schema back is tried where the old code fails on it
        and there is a way to. Only the place's own troubles are raised.
        """
        ...
