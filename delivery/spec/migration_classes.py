"""Which migrations shrink a schema, by a line in their files: `headway: contract` in a comment."""

import re
from collections.abc import Iterator
from pathlib import Path

from delivery.spec.database import Migration
from delivery.spec.migration_files import flyway_version, revision_of

MARK = re.compile(r"^\s*(?:--|#|//|<!--)\s*headway:\s*(\w+)\s*(?:-->)?\s*$", re.MULTILINE)
CLASSES = ("expand", "contract")
_SET = re.compile(r"^\s*--\s*changeset\s+([^:\s]+):(\S+)", re.MULTILINE | re.IGNORECASE)


def contracts_of(migrate: Migration, folder: Path) -> tuple[str, ...]:
    """Return the versions that are marked as shrinking the schema, as their tool calls them.

    Of Liquibase a change set as `file::id::author`, in files of SQL; of any other tool than those that are known none.
    """
    return tuple(sorted(version for version, kind in _marked(migrate, folder) if kind == "contract"))


def class_problems(migrate: Migration, folder: Path) -> Iterator[str]:
    """Yield a line for a mark that says nothing, or that nobody could obey."""
    for path in _files(migrate, folder):
        for kind in MARK.findall(_text(path)):
            where = f"database.migrate.files: {path.relative_to(folder)}: headway: {kind}"
            if kind not in CLASSES:
                yield f"{where}: no such class; allowed: {', '.join(CLASSES)}"
            elif kind == "contract" and migrate.tool == "command":
                yield f"{where}: a command runs all or nothing; allowed: with tool alembic, flyway or liquibase"


def _marked(migrate: Migration, folder: Path) -> Iterator[tuple[str, str]]:
    for path in _files(migrate, folder):
        text = _text(path)
        if migrate.tool == "liquibase":
            yield from _change_sets(path.name, text)
        elif kinds := MARK.findall(text):
            version = revision_of(path) if migrate.tool == "alembic" else flyway_version(path.name)
            if version:
                yield version, kinds[0]


def _change_sets(name: str, text: str) -> Iterator[tuple[str, str]]:
    starts = list(_SET.finditer(text))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        kinds = MARK.findall(text[start.end() : following.start() if following else len(text)])
        if kinds:
            yield f"{name}::{start[2]}::{start[1]}", kinds[0]


def _files(migrate: Migration, folder: Path) -> list[Path]:
    found = [path for one in migrate.folders for path in sorted((folder / one).rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix in (".sql", ".py", ".xml", ".yaml", ".yml", ".json")]


def _text(path: Path) -> str:
    return path.read_text(errors="replace")
