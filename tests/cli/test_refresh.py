"""An environment gets the data of another one only where headway.yaml says so, and somebody agreed."""

import json
from pathlib import Path

import pytest

from delivery.errors import Misconfigured
from delivery.ports.backups import Masked
from delivery.spec.masking import Masking
from flows.restore import Replaced
from tests.cli.conftest import Headway

MASKED = Masked(backup="b0", database="new", tables=2, rows=9, seconds=1.5, columns=3, emptied=1)
FILE = """
app: shop
images: {web: {}}
services: {web: {port: 8000}}
database: {}
environments:
  production: {}
  staging: {refresh: {from: production, masking: masking.yaml}}
"""


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[object, ...]]:
    """Return what the flow was started with."""
    started: list[tuple[object, ...]] = []

    async def refresh(*arguments: object) -> object:
        started.append(arguments)
        return MASKED, Replaced(database="new", kept_as="app_until_1")

    monkeypatch.setattr("cli.refresh.running", lambda: None)
    monkeypatch.setattr("flows.refresh.refresh", refresh)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "headway.yaml").write_text(FILE)
    (tmp_path / "masking.yaml").write_text("tables: {session: {truncate: true}}")
    return started


def test_it_says_what_was_masked_and_what_the_database_before_is_called(
    headway: Headway, asked_for: list[tuple[object, ...]], tmp_path: Path
) -> None:
    ended = headway("refresh", "staging", "--project", str(tmp_path), "--yes")
    data = json.loads(headway("refresh", "staging", "--project", str(tmp_path), "--yes", "--json").out)

    app, environment, source, masking, steal = asked_for[0]
    assert (app, environment, source, steal) == ("shop", "staging", "production", None)
    assert isinstance(masking, Masking)
    assert masking.tables["session"].truncate
    assert "restored b0 of production in 1.5 s: 2 tables, 9 rows; 3 columns masked, 1 table without rows" in ended.out
    assert "kept as app_until_1" in ended.out
    assert (data["masked"]["columns"], data["replaced"]["kept_as"]) == (3, "app_until_1")


def test_without_a_word_in_the_file_or_of_somebody_nothing_begins(
    headway: Headway, asked_for: list[tuple[object, ...]], tmp_path: Path
) -> None:
    project = ("--project", str(tmp_path))
    unsaid = headway("refresh", "production", *project, "--yes")
    unanswered = headway("refresh", "staging", *project)
    (tmp_path / "masking.yaml").write_text("tables: {session: hide}")
    wrong = headway("refresh", "staging", *project, "--yes")

    assert [one.code for one in (unsaid, unanswered, wrong)] == [Misconfigured.exit_code] * 3
    assert "environments.production.refresh: there is none; allowed: {from: ENVIRONMENT, masking: FILE}" in unsaid.err
    assert "tables.session: found 'hide'" in wrong.err
    assert asked_for == []
