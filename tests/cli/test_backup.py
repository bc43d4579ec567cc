"""Nothing takes the place of a database by accident, and what is kept is shown."""

import json
import sys
from types import SimpleNamespace

import pytest

from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import Restored
from flows.restore import Replaced
from tests.cli.conftest import Headway
from tests.delivery.changes.test_kept import PROOF, backup

RESTORED = Restored(backup="b0", database="new", tables=1, rows=2, seconds=0.5)


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Return what the flows were started with."""
    started: list[tuple[object, ...]] = []

    async def take(*arguments: object) -> object:
        started.append(("backup", *arguments))
        return backup(where="backups/shop/production/b0"), PROOF

    async def restore(*arguments: object) -> object:
        started.append(("restore", *arguments))
        replaced = None if arguments[3] else Replaced(database="new", kept_as="shop_until_1")
        return RESTORED, replaced

    async def use(*arguments: object) -> object:
        started.append(("use", *arguments))
        return Replaced(database="new", kept_as="shop_until_1")

    async def drop(*arguments: object) -> None:
        started.append(("drop", *arguments))

    for module in ("cli.backup", "cli.database"):
        monkeypatch.setattr(f"{module}.running", lambda: None)
    monkeypatch.setattr("flows.backup.backup", take)
    monkeypatch.setattr("flows.backup.kept_backups", lambda app, environment: [backup(proof=PROOF), backup(days=1)])
    monkeypatch.setattr("flows.backup.databases", lambda app, environment: ("shop", "shop_until_1"))
    monkeypatch.setattr("flows.restore.restore", restore)
    monkeypatch.setattr("flows.restore.use_database", use)
    monkeypatch.setattr("flows.restore.drop_database", drop)
    return started


def types(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.prompt", lambda question, **more: word)


def test_a_backup_says_what_is_in_it_and_where_it_is(headway: Headway, asked_for: list[tuple[object, ...]]) -> None:
    ended = headway("backup", "--app", "shop", "--environment", "staging")

    assert asked_for == [("backup", "shop", "staging")]
    assert "backup b0 of staging: 1 table, 2 rows, 0.0 kB" in ended.out
    assert "RPO 0.10 s, RTO 0.20 s" in ended.out
    assert "kept in backups/shop/production/b0" in ended.out


def test_backups_are_shown_with_their_proof(headway: Headway, asked_for: list[tuple[object, ...]]) -> None:
    shown = headway("backups", "--app", "shop").out
    data = json.loads(headway("backups", "--app", "shop", "--json").out)

    assert "by schedule" in shown
    assert "not proven" in shown
    assert [(one["name"], one["rows"], bool(one["proof"])) for one in data] == [("b0", 2, True), ("b1", 2, False)]


def test_where_a_backup_goes_must_be_said(headway: Headway, asked_for: list[tuple[object, ...]]) -> None:
    for more in ((), ("--into", "new", "--over-live")):
        refused = headway("restore", "latest", "--app", "shop", *more)
        assert refused.code == Misconfigured.exit_code
        assert "--into NAME" in refused.err
    assert asked_for == []


def test_a_new_database_beside_the_one_in_use_asks_nothing(
    headway: Headway, asked_for: list[tuple[object, ...]]
) -> None:
    ended = headway("restore", "latest", "--app", "shop", "--into", "new")

    assert (ended.code, asked_for) == (0, [("restore", "shop", "production", "latest", "new", None)])
    assert "restored b0 into new in 0.5 s: 1 table, 2 rows, as in the backup" in ended.out
    assert "headway database use new" in ended.out


@pytest.mark.parametrize(
    ("arguments", "word", "flow"),
    [
        (("restore", "latest", "--over-live"), "production", "restore"),
        (("database", "use", "new"), "production", "use"),
        (("database", "drop", "new"), "new", "drop"),
    ],
)
def test_what_changes_the_database_in_use_or_loses_one_asks_for_a_name(
    headway: Headway,
    asked_for: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    word: str,
    flow: str,
) -> None:
    nobody = headway(*arguments, "--app", "shop")
    types(monkeypatch, "yes")
    refused = headway(*arguments, "--app", "shop")
    assert (nobody.code, refused.code, asked_for) == (Misconfigured.exit_code, Rejected.exit_code, [])

    types(monkeypatch, word)
    agreed = headway(*arguments, "--app", "shop")

    assert (agreed.code, [one[0] for one in asked_for]) == (0, [flow])
    assert headway(*arguments, "--app", "shop", "--yes").code == 0


def test_the_database_in_use_is_shown_first(headway: Headway, asked_for: list[tuple[object, ...]]) -> None:
    lines = headway("database", "list", "--app", "shop").out.splitlines()

    assert [line.rstrip() for line in lines] == ["shop  the application uses it", "shop_until_1"]
