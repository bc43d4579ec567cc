"""When a migration that shrinks a schema may run."""

import json
from datetime import timedelta

import pytest

from delivery.changes.archive import HistoryEntry
from delivery.changes.contracting import due, ran, split
from delivery.migrations.flyway import Flyway
from delivery.migrations.liquibase import Liquibase
from tests.delivery.values import NOON, make_release

DAY = 86400


def entry(hours, *contracts, happening="released", **more):
    release = make_release(1).model_copy(update={"contracts": contracts})
    fields = {"at": NOON + timedelta(hours=hours), "run": "r", "happening": happening, "release": release}
    return HistoryEntry.model_validate(fields | more)


def asked(history, hours, *contracts):
    release = make_release(2).model_copy(update={"contracts": contracts})
    return due(history, release, NOON + timedelta(hours=hours), DAY)


@pytest.mark.parametrize(
    ("history", "is_due"),
    [
        ([], False),
        ([entry(0), entry(1, "003")], False),  # it came 24 h ago, less an hour
        ([entry(0, "003")], True),
        ([entry(0, "003"), entry(20, "003"), entry(23, "003", "004")], True),  # releases since then have it, too
        ([entry(0, "003"), entry(20, "003", happening="withdrawn")], True),
        ([entry(0, "003"), entry(10), entry(20, "003")], False),  # somebody went back in between
        ([entry(0, "003"), entry(10, happening="removed"), entry(20, "003")], False),
        ([entry(0, "003"), entry(1, "003", contracted=("003",))], False),  # it ran
    ],
)
def test_it_may_once_every_live_release_came_with_it_for_so_long(history, is_due):
    assert asked(history, 24, "003") == (frozenset({"003"}) if is_due else frozenset())


@pytest.mark.parametrize(
    ("replaced", "happened", "is_known"),
    [
        (None, (), True),
        (1, (), True),  # it ran on the database that took the place
        (3, (), False),  # the one it ran on was put away after it
        (None, (entry(3, happening="removed"),), False),
    ],
)
def test_one_that_ran_on_a_database_that_was_put_away_did_not_on_the_one_in_use(replaced, happened, is_known):
    history = [entry(0, "003"), entry(2, "003", contracted=("003",)), *happened, entry(4, "003")]
    moment = None if replaced is None else NOON + timedelta(hours=replaced)
    release = make_release(2).model_copy(update={"contracts": ("003",)})

    assert ran(history, moment) == (frozenset({"003"}) if is_known else frozenset())
    assert due(history, release, NOON + timedelta(hours=48), DAY, moment) == frozenset({"003"} - ran(history, moment))


def test_one_that_the_release_does_not_have_is_not_due():
    assert asked([entry(0, "003")], 48) == frozenset()


def pending(*names):
    return json.dumps({"migrations": [{"version": one, "description": "d", "state": "Pending"} for one in names]})


def test_what_comes_after_one_that_waits_is_built_on_it_and_waits():
    parts = split(Flyway(), pending("002", "003", "004"), {"003"})

    assert (parts.applied, parts.waiting) == (("002 d",), ("003 d", "004 d"))
    assert parts.up_to == ("002",)


def test_where_nothing_waits_all_of_it_runs_to_the_head():
    parts = split(Flyway(), pending("002", "003"), set())

    assert (parts.applied, parts.waiting, parts.up_to) == (("002 d", "003 d"), (), ())


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("changelog.sql::2::ada", "changelog.sql::2::ada"),
        ("db/sub/drop.sql::2::ada", "sub/drop.sql::2::ada"),
        ("drop.sql::2::ada", "sub/drop.sql::2::ada"),
        ("/srv/db/sub/drop.sql::2::ada", "sub/drop.sql::2::ada"),
        ("./drop titles.sql::2::Ada Byron", "drop titles.sql::2::Ada Byron"),
    ],
)
def test_a_change_set_waits_wherever_its_tool_looks_for_its_file_from(told, version):
    said = f"2 changesets have not been applied to x\n     first.sql::1::ada\n     {told}\n"
    parts = split(Liquibase(), said, {version})

    assert (parts.applied, parts.waiting) == (("first.sql::1::ada",), (told,))


@pytest.mark.parametrize(
    "told", ["other.sql::2::ada", "drop.sql::3::ada", "drop.sql::2::bob", "up/drop.sql::2::ada", "a-drop.sql::2::ada"]
)
def test_another_change_set_does_not(told):
    assert split(Liquibase(), f"     {told}\n", {"sub/drop.sql::2::ada"}).waiting == ()
