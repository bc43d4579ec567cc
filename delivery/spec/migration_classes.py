"""Which migrations shrink a schema, by a line in their files: `headway: contract` in a comment."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from delivery.spec.database import Migration
from delivery.spec.migration_files import flyway_version, revision_of

MARK = re.compile(r"^\s*(?:--|#|//|<!--)\s*headway:\s*(\w+)\s*(?:-->)?\s*$", re.MULTILINE)
CLASSES = ("expand", "contract")
# Whatever looks like one to a reader: where it is none, the migration would run with its release.
_MEANT = re.compile(r"headway:[ \t]*contract\b", re.IGNORECASE)
_HOLDERS = {
    "alembic": "in a file that says `revision`",
    "flyway": "in a file like V1__make_accounts.sql",
    "liquibase": "in a file of SQL, below a line `--changeset AUTHOR:ID`",
}
# As Liquibase itself reads a change set's line, and what it calls its file:
# https://docs.liquibase.com/concepts/changelogs/sql-format.html
_SET = re.compile(
    r'^[ \t]*--[ \t]*changeset[ \t]+("[^"\n]+"|[^:\n]+):[ \t]*("[^"\n]+"|\S+)(.*)$', re.MULTILINE | re.IGNORECASE
)
_CALLED = re.compile(r"logicalFilePath:(\S+)", re.IGNORECASE)
_SUFFIXES = (".sql", ".py", ".xml", ".yaml", ".yml", ".json", ".java", ".kt", ".js", ".ts", ".rb", ".go", ".php", ".sh")


def contracts_of(migrate: Migration, folder: Path) -> tuple[str, ...]:
    """Return the versions that are marked as shrinking the schema, as their tool calls them.

    Of Liquibase a change set as `file::id::author`, in files of SQL, whose path is that below `files`; of any other
    tool than those that are known none.
    """
    found = {
        version
        for path, called in _files(migrate, folder)
        for version, text in _parts(migrate, path, called)
        if version and "contract" in MARK.findall(text)
    }
    return tuple(sorted(found))


def class_problems(migrate: Migration, folder: Path) -> Iterator[str]:
    """Yield a line for a mark that says nothing, that nobody could obey, or that would not be seen to be one."""
    for path, called in _files(migrate, folder):
        for version, text in _parts(migrate, path, called):
            for problem in _problems(migrate, version, text):
                yield f"database.migrate.files: {path.relative_to(folder)}: {problem}"


def _problems(migrate: Migration, version: str, text: str) -> Iterator[str]:
    for kind in MARK.findall(text):
        if kind not in CLASSES:
            yield f"headway: {kind}: no such class; allowed: {', '.join(CLASSES)}"
        elif kind == "contract" and migrate.tool == "command":
            yield "headway: contract: a command runs all or nothing; allowed: with tool alembic, flyway or liquibase"
        elif kind == "contract" and not version:
            yield f"headway: contract: belongs to no version that could wait; allowed: {_HOLDERS[migrate.tool]}"
    for meant in _MEANT.findall(MARK.sub("", text)):
        yield f"{meant}: is not read as a mark; allowed: `headway: contract` alone in a comment of one line"


def _parts(migrate: Migration, path: Path, called: str) -> Iterator[tuple[str, str]]:
    """Yield each version of a file with its text; empty is the version of what has none."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if "headway:" not in text.lower():
        return
    match migrate.tool:
        case "liquibase":
            yield from _change_sets(called, text)
        case "alembic":
            yield revision_of(path), text
        case "flyway":
            yield flyway_version(path.name), text
        case _:
            yield "", text


def _change_sets(called: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the change sets of a file, and first what stands above all of them: the whole of one that is not SQL."""
    starts = list(_SET.finditer(text)) if called.lower().endswith(".sql") else []
    ends = [*(one.start() for one in starts), len(text)]
    head = text[: ends[0]]
    yield "", head
    for start, end in zip(starts, ends[1:], strict=True):
        author, number = (one.strip().strip('"') for one in start.group(1, 2))
        named = _CALLED.search(start[3]) or _CALLED.search(head)
        yield f"{named[1] if named else called}::{number}::{author}", text[start.end() : end]


def _files(migrate: Migration, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file that may hold a mark, and its path below the folder of `files`."""
    for root in (folder / one for one in migrate.folders):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix.lower() in _SUFFIXES:
                yield path, PurePath(path.relative_to(root)).as_posix()
