"""The history of restores: nothing is lost or changed, the newest are read first, limits are held against each."""

from datetime import timedelta

import pytest

from delivery.changes.restores import (
    RestoreHistory,
    RestoreRecord,
    figures_of,
    held_to_limits,
    over_limits,
)
from delivery.memory.store import MemoryStore
from delivery.ports.backups import BackupProof, Restored
from delivery.ports.drills import Drill
from delivery.ports.store import FolderStore
from delivery.spec.backups import DrillPolicy
from tests.delivery.values import NOON

PROOF = BackupProof(outcome="pass", tables=1, rows=2, size_bytes=3, rpo_seconds=0.1, rto_seconds=912)


def record(hours=0, **more):
    fields = {"at": NOON + timedelta(hours=hours), "app": "shop", "environment": "production", "run": "r"}
    return RestoreRecord.model_validate(fields | {"kind": "proof", "outcome": "pass"} | more)


@pytest.fixture(params=["memory", "folder"])
def history(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else FolderStore(tmp_path)
    return RestoreHistory(store, "shop", "production")


def test_the_newest_are_first_and_no_more_are_read_than_asked_for(history):
    for hours in (1, 3, 2):
        history.add(record(hours))

    assert [one.at.hour for one in history.newest()] == [15, 14, 13]
    assert [one.at.hour for one in history.newest(2)] == [15, 14]


def test_two_of_the_same_moment_are_both_kept(history):
    history.add(record())
    history.add(record(outcome="fail"))

    assert {one.outcome for one in history.newest()} == {"pass", "fail"}


def test_one_environment_says_nothing_of_another(history):
    history.add(record())

    assert RestoreHistory(history.store, "shop", "production-2").newest() == ()


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (PROOF, {"outcome": "pass", "rpo_seconds": 0.1, "rto_seconds": 912, "rows": 2, "size_bytes": 3}),
        (
            Drill(at=NOON, outcome="unknown", where="there", unchecked=("pages",), rto_seconds=2, rows=5),
            {"outcome": "unknown", "where": "there", "unchecked": ("pages",), "rto_seconds": 2, "rows": 5},
        ),
        (Drill(at=NOON, outcome="fail", problems=("hung",)), {"rto_seconds": None, "rpo_seconds": None, "rows": None}),
        (
            Restored(backup="b", database="d", tables=1, rows=4, seconds=1.5),
            {"outcome": "pass", "backup": "b", "rto_seconds": 1.5, "rpo_seconds": None, "rows": 4},
        ),
    ],
    ids=["proof", "drill", "drill that did not come so far", "restore"],
)
def test_each_kind_is_kept_with_its_figures(shown, expected):
    kept = record(**figures_of(shown))

    assert {name: getattr(kept, name) for name in expected} == expected


def test_over_a_limit_the_outcome_is_a_failure_that_says_limit_and_found():
    held = held_to_limits(record(rto_seconds=912, rpo_seconds=1), DrillPolicy(rto_seconds=900, rpo_seconds=1))

    assert held.outcome == "fail"
    assert held.problems == ("RTO 912 s, at most 900 s (environments.production.backups.drill.rto_seconds)",)


@pytest.mark.parametrize(
    ("before", "after"), [("pass", "fail"), ("unknown", "fail"), ("fail", "fail"), ("broken", "broken")]
)
def test_no_outcome_hides_that_a_limit_was_passed(before, after):
    held = held_to_limits(record(outcome=before, rpo_seconds=60.5, problems=("a",)), DrillPolicy(rpo_seconds=60))

    assert (held.outcome, held.problems[0], held.problems[1][:23]) == (after, "a", "RPO 60.5 s, at most 60 ")


def test_without_a_limit_or_a_figure_nothing_is_over():
    assert over_limits("production", DrillPolicy(), 1e9, 1e9) == ()
    assert over_limits("production", DrillPolicy(rpo_seconds=1, rto_seconds=1), None, None) == ()


def test_one_that_is_no_pass_says_why():
    told = record(kind="drill", outcome="unknown", rto_seconds=2, unchecked=("pages: not in the image",)).describe()

    assert told == "drill 2026-03-04 12:00 UTC: unknown, RTO 2 s: pages: not in the image"
