"""Migrations that are marked as growing or shrinking a schema."""

import pytest

from delivery.spec.database import Migration
from delivery.spec.migration_classes import class_problems, contracts_of


@pytest.fixture
def found(tmp_path):
    """A function that returns what is found in files: which are contracts, and what is wrong."""

    def look(tool, files):
        for name, text in files.items():
            path = tmp_path / "db" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        migrate = Migration(tool=tool, image="web", files="db")
        return contracts_of(migrate, tmp_path), list(class_problems(migrate, tmp_path))

    return look


REVISION = 'revision = "{0}"\ndown_revision = None\n{1}\n'
SETS = """--liquibase formatted sql
--changeset ada:1
create table task (id int);
--changeset ada:2
-- headway: contract
drop table old_task;
--changeset ada:3
-- headway: expand
create table more (id int);
"""


@pytest.mark.parametrize(
    ("tool", "files", "contracts"),
    [
        (
            "alembic",
            {"a.py": REVISION.format("001", ""), "b.py": REVISION.format("002", "# headway: contract")},
            ("002",),
        ),
        ("alembic", {"a.py": REVISION.format("001", "# headway: expand")}, ()),
        ("flyway", {"V1__a.sql": "select 1;\n", "V2_1__b.sql": "-- headway: contract\nselect 1;\n"}, ("2.1",)),
        ("flyway", {"V1__a.sql": "select '-- headway: contract';\n"}, ()),
        ("liquibase", {"log.sql": SETS}, ("log.sql::2::ada",)),
    ],
)
def test_a_line_of_its_own_says_that_one_shrinks(found, tool, files, contracts):
    assert found(tool, files) == (contracts, [])


def test_a_class_that_there_is_not_is_told_with_those_there_are(found):
    _, problems = found("flyway", {"V1__a.sql": "-- headway: shrink\n"})

    assert problems == [
        "database.migrate.files: db/V1__a.sql: headway: shrink: no such class; allowed: expand, contract"
    ]


def test_a_command_can_hold_nothing_back(found):
    contracts, problems = found("command", {"1.sql": "-- headway: contract\n"})

    assert contracts == ()
    assert "a command runs all or nothing; allowed: with tool alembic, flyway or liquibase" in problems[0]
