"""When a migration that shrinks a schema may run."""

from datetime import timedelta

import pytest

from delivery.changes.archive import HistoryEntry
from delivery.changes.contracting import due, split
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


def test_one_that_the_release_does_not_have_is_not_due():
    assert asked([entry(0, "003")], 48) == frozenset()


def test_what_comes_after_one_that_waits_is_built_on_it_and_waits():
    parts = split(["002 add", "003 drop titles", "004 add more"], {"003"})

    assert (parts.applied, parts.waiting) == (("002 add",), ("003 drop titles", "004 add more"))
    assert parts.up_to == "002"


def test_where_nothing_waits_all_of_it_runs_to_the_head():
    parts = split(["002 add", "003 drop titles"], set())

    assert (parts.applied, parts.waiting, parts.up_to) == (("002 add", "003 drop titles"), (), "")
