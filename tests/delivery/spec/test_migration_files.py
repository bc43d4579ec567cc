"""Files that a migration tool would refuse are told before any database is touched."""

from pathlib import Path

import pytest

from delivery.spec.database import Migration
from delivery.spec.migration_files import migration_problems

ONE = "revision = '1'\ndown_revision = None\n"
TWO = "revision: str = '2'\ndown_revision: str | None = '1'\n"
THREE = "revision, down_revision = '3', '1'\n"
MERGED = "revision = '4'\ndown_revision = ('2', '3')\n"


def found(tmp_path: Path, tool: str, files: dict[str, str | bytes]) -> list[str]:
    (tmp_path / "db").mkdir()
    for name, content in files.items():
        (tmp_path / "db" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(migration_problems(Migration(tool=tool, image="web", files="db"), tmp_path))


@pytest.mark.parametrize(
    ("tool", "files", "problem"),
    [
        ("alembic", {}, "no revision is in it; allowed: files that say `revision`"),
        ("alembic", {"env.py": "import os\n"}, "no revision is in it"),
        (
            "alembic",
            {"1.py": ONE, "2.py": TWO, "3.py": THREE},
            "has 2 heads: 2, 3; allowed: one\n  next: alembic merge",
        ),
        ("alembic", {"1.py": ONE, "again.py": ONE}, "revision 1 is there twice"),
        ("flyway", {}, "no migration is in it; allowed: files like V1__make_accounts.sql"),
        ("flyway", {"readme.sql": "select 1;"}, "no migration is in it"),
        ("flyway", {"V3__a.sql": "", "V3.0__b.sql": ""}, "a version is there 2 times: V3.0__b.sql, V3__a.sql"),
        ("flyway", {"V1__a.sql": b"select '\xe9';"}, "db/V1__a.sql is not UTF-8 (invalid continuation byte at byte 8)"),
        ("liquibase", {}, "no change log is in it"),
    ],
)
def test_what_a_tool_would_refuse_is_told_with_its_key(tmp_path, tool, files, problem) -> None:
    [told] = found(tmp_path, tool, files)

    assert told.startswith("database.migrate.files: ")
    assert problem in told


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        ("alembic", {"1.py": ONE, "2.py": TWO, "3.py": THREE, "4.py": MERGED, "broken.py": "def"}),
        ("flyway", {"V1__a.sql": "", "V1.1__b.sql": "", "R__views.sql": ""}),
        ("liquibase", {"changelog.sql": "--liquibase formatted sql"}),
        ("command", {}),
    ],
)
def test_files_that_fit_are_taken(tmp_path, tool, files) -> None:
    assert found(tmp_path, tool, files) == []
