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


ROOT = """<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog">
<include file="sub/log.sql"/>
</databaseChangeLog>
"""
# Each is a line that Liquibase 4.28 takes for the beginning of a change set, and what `status` calls it then.
NAMES = {
    "--changeset jane:1": "log.sql::1::jane",
    "  -- CHANGESET Jane Doe:2 runOnChange:false": "log.sql::2::Jane Doe",
    '--changeset "Jane: Q":"the third" context:all': "log.sql::the third::Jane: Q",
    "--changeset jane :5,x labels:a": "log.sql::5,x::jane",
    "--changeset jane:8 logicalFilePath:other/place.sql": "other/place.sql::8::jane",
}
HEADERS = "--liquibase formatted sql\n" + "".join(f"{one}\n-- headway: contract\nselect 1;\n" for one in NAMES)
HEADED = tuple(sorted(NAMES.values()))


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
        ("flyway", {"V1__a.sql": "\ufeff-- headway: contract\nselect 1;\n"}, ("1",)),
        ("flyway", {"V1__a.sql": "-- headway: expand\nselect 1;\n-- headway: contract\nselect 2;\n"}, ("1",)),
        ("alembic", {"a.py": "\ufeff" + REVISION.format("001", "# headway: contract")}, ("001",)),
        ("liquibase", {"log.sql": SETS}, ("log.sql::2::ada",)),
        ("liquibase", {"root.xml": ROOT, "sub/log.sql": SETS}, ("sub/log.sql::2::ada",)),
        ("liquibase", {"root.xml": ROOT, "root.yaml": "databaseChangeLog: []\n", "raw.sql": "select 1;\n"}, ()),
        ("liquibase", {"log.sql": HEADERS}, HEADED),
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


@pytest.mark.parametrize(
    ("tool", "name", "text", "problem"),
    [
        ("flyway", "V1__a.sql", "-- headway: contract (nobody reads it)\n", "headway: contract: is not read as a mark"),
        ("flyway", "V1__a.sql", "/* headway: contract */\n", "headway: contract: is not read as a mark"),
        ("flyway", "V1__a.sql", "-- Headway: contract\n", "Headway: contract: is not read as a mark"),
        ("flyway", "V1__a.sql", "drop table a; -- headway: contract\n", "headway: contract: is not read as a mark"),
        ("flyway", "V1__a.sql", "-- headway: Contract\n", "headway: Contract: no such class"),
        ("flyway", "R__a.sql", "-- headway: contract\n", "no version that could wait; allowed: in a file like V1__"),
        ("flyway", "V1__A.java", "// headway: contract\n", "no version that could wait"),
        ("alembic", "env.py", "# headway: contract\n", "no version that could wait; allowed: in a file that says"),
        ("liquibase", "a.xml", "<!-- headway: contract -->\n", "no version that could wait; allowed: in a file of SQL"),
        ("liquibase", "a.yaml", "# headway: contract\n", "no version that could wait"),
        ("liquibase", "a.json", '{"comment": "headway: contract"}\n', "headway: contract: is not read as a mark"),
        (
            "liquibase",
            "a.sql",
            "--liquibase formatted sql\n-- headway: contract\n" + SETS,
            "no version that could wait",
        ),
        ("liquibase", "a.sql", "-- headway: contract\ndrop table a;\n", "no version that could wait"),
    ],
)
def test_what_looks_like_a_mark_and_holds_nothing_back_is_told(found, tool, name, text, problem):
    contracts, (told,) = found(tool, {name: text})

    assert told.startswith(f"database.migrate.files: db/{name}: ")
    assert problem in told
    assert set(contracts) <= {"a.sql::2::ada"}
