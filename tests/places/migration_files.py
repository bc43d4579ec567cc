"""The same three steps of a schema as files of each tool."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

DOES = {
    "1": "create table account (id int primary key)",
    "2": "alter table account add column name text",
    "3": "alter table account add column age int",
}
BROKEN = "alter table account add column age int;\ninsert into nowhere values (1)"
CHANGED = {"2": "alter table account add column name varchar(80)"}
# What tools say of a step that was changed since it ran; Alembic keeps no checksums.
SAID: Mapping[str, Mapping[str, str]] = {
    "alembic": {},
    "flyway": {"changed": r"checksum mismatch for migration version 2\n(.*\n)+  next: take the change back"},
    "liquibase": {"changed": r"Validation Failed:\n.*\n.*::2::ada was.*\n  next: take the change back"},
}


@dataclass(frozen=True)
class Step:
    """One step: its number and what it is called."""

    number: str
    text: str


@dataclass(frozen=True)
class ToolFiles:
    """How one tool has a step: `write` returns path → content of all of them."""

    write: Callable[[list[tuple[Step, str]]], dict[str, str]]
    name: Callable[[Step], str]
    env: dict[str, str] = field(default_factory=dict)

    def of(
        self, *steps: Step, broken: Step | None = None, changed: Step | None = None, slow: Step | None = None
    ) -> dict[str, str]:
        """Return the files; one step may be broken, not be what it was, or take its time."""

        def does(one: Step) -> str:
            if one == slow:
                return f"select pg_sleep(60);\n{DOES[one.number]}"
            return BROKEN if one == broken else CHANGED[one.number] if one == changed else DOES[one.number]

        return self.write([(one, does(one)) for one in steps])


def _flyway(told: list[tuple[Step, str]]) -> dict[str, str]:
    return {f"/flyway/sql/V{one.number}__{one.text.replace(' ', '_')}.sql": f"{sql};\n" for one, sql in told}


def _liquibase(told: list[tuple[Step, str]]) -> dict[str, str]:
    sets = "".join(f"\n--changeset ada:{one.number}\n{sql};\n" for one, sql in told)
    return {"/liquibase/changelog.sql": f"--liquibase formatted sql\n{sets}"}


ENV = """
import os
from alembic import context
from sqlalchemy import create_engine
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def _alembic(told: list[tuple[Step, str]]) -> dict[str, str]:
    files = {"/srv/alembic.ini": "[alembic]\nscript_location = migrations\n", "/srv/migrations/env.py": ENV}
    before = None
    for one, sql in told:
        lines = [f'"""{one.text}"""', "from alembic import op", f"revision, down_revision = {one.number!r}, {before!r}"]
        body = "".join(f"    op.execute({each!r})\n" for each in sql.split(";\n"))
        files[f"/srv/migrations/versions/{one.number}.py"] = "\n".join([*lines, f"def upgrade():\n{body}"])
        before = one.number
    return files


FILES = {
    "flyway": ToolFiles(_flyway, lambda one: f"{one.number} {one.text}"),
    "liquibase": ToolFiles(
        _liquibase,
        lambda one: f"changelog.sql::{one.number}::ada",
        {"LIQUIBASE_COMMAND_CHANGELOG_FILE": "changelog.sql", "LIQUIBASE_SEARCH_PATH": "/liquibase"},
    ),
    "alembic": ToolFiles(_alembic, lambda one: f"{one.number} {one.text}"),
}
