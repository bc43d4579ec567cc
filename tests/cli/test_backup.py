"""Nothing takes the place of a database by accident, and what is kept is shown."""

import json
import sys
from types import SimpleNamespace

import pytest

from cli.backup import COLOURS
from delivery.changes.backup_policy import BackupAges
from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import Restored
from delivery.ports.second_place import Copies
from flows.restore import Replaced
from tests.cli.conftest import Headway
from tests.delivery.changes.test_kept import PROOF, backup
from tests.delivery.changes.test_restores import record
from tests.delivery.values import NOON

HISTORY = [
    record(hours=2, kind="restore", outcome="pass"),
    record(hours=1, kind="drill", outcome="unknown", rpo_seconds=3, rto_seconds=4, unchecked=("pages: no tool",)),
    record(kind="drill", outcome="pass"),
    record(kind="proof", outcome="fail", problems=("RTO 912 s, at most 900 s (KEY)",)),
]
AGES = BackupAges(
    app="shop",
    environment="production",
    copies=Copies(where="the vault", newest=NOON, count=2),
    problems=("the newest backup is 61 h old",),
)
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

    for module in ("cli.backup", "cli.database", "cli.restore"):
        monkeypatch.setattr(f"{module}.running", lambda: None)
    monkeypatch.setattr("flows.backup.backup", take)
    monkeypatch.setattr("flows.backup.kept_backups", lambda app, environment: [backup(proof=PROOF), backup(days=1)])
    monkeypatch.setattr("flows.backup.reaches", lambda app, environment: [("shop production", "from then to now")])
    monkeypatch.setattr("flows.backup.databases", lambda app, environment: ("shop", "shop_until_1"))

    async def elsewhere(*arguments: object) -> object:
        started.append(("elsewhere", *arguments))
        return RESTORED

    monkeypatch.setattr("flows.backup.histories", lambda app, environment: HISTORY)
    monkeypatch.setattr("flows.backup.backup_ages", lambda app, environment: [AGES])
    monkeypatch.setattr("flows.backup.left_behind_by", lambda app, environment: "as it is: volume uploads")
    monkeypatch.setattr("flows.restore.restore_elsewhere", elsewhere)
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
    assert "not compared" not in ended.err


def test_a_backup_says_what_was_not_compared(
    headway: Headway, asked_for: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(*_: object) -> object:
        return backup(), PROOF.model_copy(update={"moved": 2})

    monkeypatch.setattr("flows.backup.backup", take)

    assert "2 things changed while it was taken, and were not compared" in headway("backup", "--app", "shop").err


def test_backups_are_shown_with_their_proof(headway: Headway, asked_for: list[tuple[object, ...]]) -> None:
    shown = headway("backups", "--app", "shop").out
    data = json.loads(headway("backups", "--app", "shop", "--json").out)

    assert "any second of shop production: from then to now" in shown
    assert "by schedule" in shown
    assert "not proven" in shown
    assert [(one["name"], one["rows"], bool(one["proof"])) for one in data["backups"]] == [
        ("b0", 2, True),
        ("b1", 2, False),
    ]


def test_the_last_proof_and_drill_are_shown_and_what_is_too_old(
    headway: Headway, asked_for: list[tuple[object, ...]]
) -> None:
    shown = headway("backups", "--app", "shop")
    data = json.loads(headway("backups", "--app", "shop", "--json").out)

    drill = "last drill 2026-03-04 13:00 UTC: unknown, RPO 3 s, RTO 4 s: pages: no tool"
    assert f"shop production: {drill}" in shown.out
    assert "last proof 2026-03-04 12:00 UTC: fail: RTO 912 s, at most 900 s (KEY)" in shown.out
    assert shown.out.count("last ") == 2
    assert "2 copies in the vault, the newest of 2026-03-04 12:00:00 UTC" in shown.out
    assert "shop production: the newest backup is 61 h old" in shown.err
    assert [one["outcome"] for one in data["history"]] == ["pass", "unknown", "pass", "fail"]
    assert data["ages"][0]["problems"] == ["the newest backup is 61 h old"]


def test_unknown_is_never_shown_green() -> None:
    assert {outcome for outcome, colour in COLOURS.items() if colour == "green"} == {"pass"}


def test_a_copy_is_restored_in_the_second_place_as_a_new_server(
    headway: Headway, asked_for: list[tuple[object, ...]]
) -> None:
    ended = headway("restore", "latest", "--second-place", "--into", "rescue", "--app", "shop")

    assert (ended.code, asked_for) == (0, [("elsewhere", "shop", "production", "latest", "rescue")])
    assert "restored b0 in 0.5 s as the server rescue of the second place: 1 table, 2 rows" in ended.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["latest", "--over-live"], "--over-live: nothing there can take the place of a database here"),
        (["latest"], "it must be said where to"),
        (["--to", "2030-01-02", "--into", "rescue"], "only copies are there"),
    ],
)
def test_what_a_second_place_cannot_do_is_refused(
    headway: Headway, asked_for: list[tuple[object, ...]], arguments: list[str], says: str
) -> None:
    refused = headway("restore", "--second-place", *arguments, "--app", "shop")

    assert (refused.code, asked_for) == (Misconfigured.exit_code, [])
    assert says in " ".join(refused.err.split())


def test_what_does_not_go_along_is_told_before_it_is_asked_and_after_every_restore(
    headway: Headway, asked_for: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, "no")
    refused = headway("restore", "latest", "--over-live", "--app", "shop")
    told = [
        headway("restore", "latest", *where, "--app", "shop")
        for where in (("--into", "new"), ("--over-live", "--yes"), ("--second-place", "--into", "new"))
    ]

    assert (refused.code, refused.err.count("volume uploads")) == (Rejected.exit_code, 1)
    assert [one.err.count("volume uploads") for one in told] == [1, 2, 1]
    assert "volume uploads" in headway("backup", "--app", "shop").err


def test_of_a_backup_that_is_the_places_own_nothing_is_made_up(
    headway: Headway, asked_for: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = backup().model_copy(update={"of_the_place": True, "size_bytes": 0, "rows": 0, "tables": 0})
    monkeypatch.setattr("flows.backup.kept_backups", lambda app, environment: [theirs])

    shown = headway("backups", "--app", "shop").out

    assert ("not known" in shown, "not told" in shown) == (True, True)


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

    assert (ended.code, asked_for) == (0, [("restore", "shop", "production", "latest", "new", None, None, None)])
    assert "restored b0 into new: 1 table, 2 rows, as in the backup\n  RTO 0.5 s\n" in ended.out
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing was named to restore"),
        (["latest", "--to", "2030-01-02"], "latest and 2030-01-02 are several"),
        (["--to", "yesterday"], "headway restore --to yesterday"),
    ],
)
def test_exactly_one_thing_is_restored(
    headway: Headway, asked_for: list[tuple[object, ...]], arguments: list[str], says: str
) -> None:
    refused = headway("restore", *arguments, "--into", "other", "--app", "shop")

    assert refused.code == Misconfigured.exit_code
    assert says in " ".join(refused.err.split())
    assert asked_for == []


def test_a_moment_is_one_of_utc_unless_it_says_otherwise(headway: Headway, asked_for: list[tuple[object, ...]]) -> None:
    headway("restore", "--to", "2030-01-02T03:04:05+02:00", "--into", "other", "--app", "shop")
    headway("restore", "--to", "2030-01-02T03:04:05", "--into", "other", "--app", "shop")

    assert [f"{one[6]:%H:%M %z}" for one in asked_for] == ["01:04 +0000", "03:04 +0000"]
