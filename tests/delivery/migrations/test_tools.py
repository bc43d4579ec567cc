"""What tools for migrations are asked, and what is read from outputs of theirs, as they were recorded."""

import json
import re

import pytest
from pydantic import SecretStr

from delivery.changes.migration import check_migration, migration_job
from delivery.errors import Rejected
from delivery.migrations.tool import Session
from delivery.migrations.tools import TOOLS, words_of
from delivery.ports.database import DatabaseAccess
from delivery.ports.jobs import JobResult
from delivery.spec.database import Migration

ACCESS = DatabaseAccess("app", SecretStr("canary-5d2a"))
SESSION = Session("headway-migrate-7", 2.5, 600)
ALEMBIC = {
    "pending": "002 -> 003 (head), give them names\n001 -> 002 (current), give them names\n",
    "fresh": "001 -> 002 (head), give them names\n<base> -> 001, make accounts\n",
    "heads": "002 -> 003 (head), this way\n002 -> 004 (head), that way\n001 -> 002 (current), give them names\n",
    "unknown": "FAILED: Can't locate revision identified by '099'\n",
    "ambiguous": (
        "FAILED: Multiple head revisions are present for given argument 'head'; please specify a specific target "
        "revision, '<branchname>@head' to narrow to a specific head, or 'heads' for all heads\n"
    ),
    "failed": (
        "Traceback (most recent call last):\n"
        '  File "/app/env.py", line 12, in <module>\n'
        "psycopg.errors.DuplicateColumn: column exists\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        'sqlalchemy.exc.ProgrammingError: (psycopg.errors.DuplicateColumn) column "id" of relation "account" exists\n'
        "[SQL: alter table account add column id text]\n"
        "(Background on this error at: https://sqlalche.me/e/21/f405)\n"
    ),
    "locked": (
        "sqlalchemy.exc.OperationalError: (psycopg.errors.LockNotAvailable) canceling statement due to lock timeout\n"
        "[SQL: alter table account add column x int]\n"
    ),
    "unreachable": (
        "sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection failed: connection to server at "
        '"127.0.0.1", port 5599 failed: Connection refused\n\tIs the server running on that host?\n'
    ),
}
LIQUIBASE = {
    "pending": (
        "Starting Liquibase at 07:37:59 (version 4.28.0 #2272 built at 2024-05-16 19:00+0000)\n"
        "2 changesets have not been applied to postgres@jdbc:postgresql://127.0.0.1:5544/lb\n"
        "     changelog.sql::1::ada\n     changelog.sql::2::ada\n"
        "Liquibase command 'status' was executed successfully.\n"
    ),
    "history": (
        "| Deployment ID | Update Date       | Changelog Path | Changeset Author | Changeset ID | Tag |\n"
        "+---------------+-------------------+----------------+------------------+--------------+-----+\n"
        "| 6024292893    | 11/30/26, 7:38 AM | changelog.sql  | ada              | 1            |     |\n"
        "+---------------+-------------------+----------------+------------------+--------------+-----+\n"
        "| 6024292893    | 11/30/26, 7:38 AM | changelog.sql  | ada              | 2            |     |\n"
    ),
    "failed": (
        "Unexpected error running Liquibase: Migration failed for changeset changelog.sql::3::ada:\n"
        '     Reason: liquibase.exception.DatabaseException: ERROR: relation "nowhere" does not exist\n'
        "  Position: 13 [Failed SQL: (0) insert into nowhere values (1)]\n\n"
        "For more information, please use the --log-level flag\n"
    ),
    "changed": (
        "ERROR: Exception Primary Reason:  Validation Failed:\n     1 changesets check sum\n"
        "Unexpected error running Liquibase: Validation Failed:\n     1 changesets check sum\n"
        "          changelog.sql::2::ada was: 9:c788d1011e4b42641bbc2327309ab883 but is now: "
        "9:125416dc40800d3a3beeab8214a8de71\n\nFor more information, please use the --log-level flag\n"
    ),
    "locked": (
        "Unexpected error running Liquibase: Could not acquire change log lock.  Currently locked by other since "
        "11/30/26, 7:40 AM\n\nFor more information, please use the --log-level flag\n"
    ),
    "unreachable": (
        "Unexpected error running Liquibase: Connection could not be created to jdbc:postgresql://127.0.0.1:5599/lb "
        "with driver org.postgresql.Driver.  Connection to 127.0.0.1:5599 refused.\n\nFor more information, use\n"
    ),
}
_INFO = [
    {"category": "Versioned", "version": "1", "description": "make accounts", "type": "SQL", "state": "Success"},
    {"category": "Versioned", "version": "2", "description": "give them names", "type": "SQL", "state": "Pending"},
    {"category": "Repeatable", "version": "", "description": "views", "type": "SQL", "state": "Pending"},
]
FLYWAY = {
    "info": "WARNING: a line of its log\n" + json.dumps({"migrations": _INFO, "operation": "info"}),
    "applied": json.dumps(
        {"migrations": [{"version": "2", "description": "give them names"}], "migrationsExecuted": 1}
    ),
    "nothing": json.dumps({"migrations": [], "migrationsExecuted": 0, "targetSchemaVersion": None}),
    "changed": json.dumps(
        {
            "validationSuccessful": False,
            "invalidMigrations": [
                {
                    "version": "1",
                    "errorDetails": {"errorCode": "CHECKSUM_MISMATCH", "errorMessage": "checksum mismatch"},
                }
            ],
        }
    ),
    "unreachable": json.dumps({"error": {"errorCode": "DB_CONNECTION", "message": "Unable to obtain connection"}}),
    "failed": json.dumps({"error": {"errorCode": "ERROR", "message": "Migration V3__x.sql failed\nSQL State: 42P01"}}),
    "locked": json.dumps({"error": {"errorCode": "ERROR", "message": "canceling statement due to lock timeout"}}),
}
SAID = {"alembic": ALEMBIC, "liquibase": LIQUIBASE, "flyway": FLYWAY}


@pytest.mark.parametrize(
    ("tool", "operation", "code", "case", "trouble", "words"),
    [
        ("alembic", "apply", 255, "unknown", "unknown", "Can't locate revision identified by '099'"),
        ("alembic", "apply", 255, "ambiguous", "ambiguous", "Multiple head revisions"),
        ("alembic", "verify", 0, "heads", "ambiguous", "there are 2 heads: 003, 004"),
        (
            "alembic",
            "apply",
            1,
            "failed",
            "failed",
            'ProgrammingError: .* column "id" .*\n.SQL: alter table account add',
        ),
        ("alembic", "apply", 1, "locked", "locked", "lock timeout\n.SQL: alter table"),
        ("alembic", "apply", 1, "unreachable", "unreachable", "Connection refused"),
        ("liquibase", "apply", 1, "failed", "failed", "changelog.sql::3::ada:\n.*nowhere"),
        ("liquibase", "verify", 1, "changed", "changed", "changelog.sql::2::ada was: 9:c788"),
        ("liquibase", "apply", 1, "locked", "locked", "^Could not acquire change log lock.  Currently locked by other"),
        ("liquibase", "apply", 1, "unreachable", "unreachable", "refused.$"),
        ("flyway", "verify", 0, "changed", "changed", "checksum mismatch"),
        ("flyway", "apply", 1, "unreachable", "unreachable", "Unable to obtain"),
        ("flyway", "apply", 1, "failed", "failed", "V3__x.sql failed\nSQL State: 42P01"),
        ("flyway", "apply", 1, "locked", "locked", "lock timeout"),
        ("command", "apply", 3, "", "failed", "exit code 3; its last lines:\n"),
    ],
)
def test_trouble_is_sorted_by_what_is_to_be_done_whatever_the_tool_exits_with(
    tool, operation, code, case, trouble, words
):
    found = TOOLS[tool].problem(operation, code, SAID.get(tool, {}).get(case, ""))

    assert found.trouble == trouble
    assert re.search(words, found.said)


@pytest.mark.parametrize(
    ("tool", "operation", "case", "versions"),
    [
        ("alembic", "pending", "pending", ("003 give them names",)),
        ("alembic", "pending", "fresh", ("001 make accounts", "002 give them names")),
        ("alembic", "history", "fresh", ("001 make accounts", "002 give them names")),
        ("liquibase", "pending", "pending", ("changelog.sql::1::ada", "changelog.sql::2::ada")),
        ("liquibase", "history", "history", ("changelog.sql::1::ada", "changelog.sql::2::ada")),
        ("flyway", "pending", "info", ("2 give them names", "R views")),
        ("flyway", "history", "info", ("1 make accounts",)),
        ("flyway", "apply", "applied", ("2 give them names",)),
        ("flyway", "apply", "nothing", ()),
    ],
)
def test_versions_are_read_in_their_order_and_nothing_is_wrong(tool, operation, case, versions):
    said = SAID[tool][case]

    assert TOOLS[tool].versions(operation, said) == versions
    assert TOOLS[tool].problem(operation, 0, said) is None


@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_is_told_a_password_in_its_arguments(tool, tmp_path):
    migration = Migration(tool=tool, image="web")
    job = migration_job(migration, ACCESS, "web", run="7", log=tmp_path / "log")
    secret = {name for name, value in job.env.items() if "canary-5d2a" in value}

    assert "canary-5d2a" not in " ".join(job.command or ())
    assert secret <= {"DATABASE_URL", "PGPASSWORD", "FLYWAY_PASSWORD", "LIQUIBASE_COMMAND_PASSWORD"}
    assert [one.get_secret_value() for one in job.hide] == ["canary-5d2a"]


@pytest.mark.parametrize(
    ("tool", "variable", "settings"),
    [
        ("command", "PGOPTIONS", "-c lock_timeout=2500 -c statement_timeout=600000"),
        ("alembic", "PGOPTIONS", "-c lock_timeout=2500 -c statement_timeout=600000"),
        ("flyway", "FLYWAY_URL", "options=-c%20lock_timeout%3D2500%20-c%20statement_timeout%3D600000"),
        ("liquibase", "LIQUIBASE_COMMAND_URL", "options=-c%20lock_timeout%3D2500%20-c%20statement_timeout%3D600000"),
    ],
)
def test_the_session_that_migrates_has_a_name_and_waits_no_longer_than_it_may(tool, variable, settings):
    found = TOOLS[tool].variables(ACCESS, SESSION)

    assert settings in found[variable]
    assert "headway-migrate-7" in "".join(found.values())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, None),
        ({"command": ["node", "migrate.js"]}, ("node", "migrate.js")),
        ({"tool": "alembic"}, ("alembic", "upgrade", "head")),
        (
            {"tool": "alembic", "command": ["alembic", "-c", "db/alembic.ini"]},
            ("alembic", "-c", "db/alembic.ini", "upgrade", "head"),
        ),
        ({"tool": "liquibase"}, ("update",)),
        ({"tool": "liquibase", "command": ["liquibase"]}, ("liquibase", "update")),
        ({"tool": "flyway"}, ("-outputType=json", "migrate")),
    ],
)
def test_a_tool_is_started_as_its_image_or_the_file_says(said, words):
    assert words_of(Migration(image="web", **said), "apply") == words


@pytest.mark.parametrize(
    ("tool", "operation"),
    [("liquibase", "unlock"), *((tool, one) for tool in SAID for one in ("pending", "verify", "history"))],
)
def test_a_limit_of_what_is_applied_changes_no_other_question(tool, operation):
    assert TOOLS[tool].words(operation, 2, "3") == TOOLS[tool].words(operation)


def test_alembic_is_taken_back_to_a_revision_by_its_name_where_there_is_one():
    migration = Migration(tool="alembic", image="web")

    assert words_of(migration, "revert", 3, "002a") == ("alembic", "downgrade", "002a")
    assert words_of(migration, "revert", 3) == ("alembic", "downgrade", "-3")


def test_a_migration_that_failed_is_told_with_what_is_to_be_done(tmp_path):
    log = tmp_path / "log"
    log.write_text(LIQUIBASE["changed"])

    with pytest.raises(
        Rejected, match=r"the migration failed: Validation Failed:\n.*\n.*::2::ada was.*\n  next: take the change back"
    ):
        check_migration(Migration(tool="liquibase", image="web"), JobResult(1, 2.0), log)


def test_what_was_applied_is_told(tmp_path):
    log = tmp_path / "log"
    log.write_text(FLYWAY["applied"])

    assert check_migration(Migration(tool="flyway", image="web"), JobResult(0, 2.0), log) == ("2 give them names",)
