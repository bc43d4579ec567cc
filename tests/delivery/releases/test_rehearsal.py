"""What a rehearsal means for a release and for the way back."""

from datetime import UTC, datetime, timedelta

import pytest

from delivery.errors import Rejected
from delivery.releases.boundary import Boundary, WayBack, check_boundary
from delivery.releases.rehearsal import CodeOnSchema, Rehearsal, Statement
from delivery.releases.rehearsal_gate import check_rehearsal
from delivery.spec.rehearsal import RehearsalPolicy

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def shown(cells="", **more):
    """A rehearsal; `cells` are like `old/new`, and `old/new!` for one that failed."""
    tried = [
        CodeOnSchema(code=code, on=on.rstrip("!"), outcome="failed" if on.endswith("!") else "passed")
        for code, on in (word.split("/") for word in cells.split())
    ]
    fields = {"app": "shop", "inputs": "", "at": NOON, "live": "a1", "release": "b2", "data": "the schema alone"}
    return Rehearsal.model_validate(fields | {"cells": tried} | more)


@pytest.mark.parametrize(
    ("cells", "more", "verdict"),
    [
        ("old/old old/new new/new", {}, "safe"),
        ("old/old old/new new/new old/written", {}, "safe"),
        ("old/old old/new! new/new", {}, "recovery"),
        ("old/old old/new new/new old/written!", {}, "recovery"),
        ("old/old old/new! new/new old/reverted", {}, "down"),
        ("old/old old/new! new/new old/reverted!", {}, "recovery"),
        ("old/old!", {}, "unknown"),
        ("", {"inconclusive": "no schema"}, "unknown"),
        ("old/old old/new", {"problem": "exit code 3"}, "unknown"),
        ("", {}, "unknown"),
    ],
)
def test_what_going_back_needs_follows_from_what_the_old_code_passed(cells, more, verdict):
    assert shown(cells, **more).rollback == verdict


def test_only_what_keeps_writers_out_counts_as_a_lock():
    reads = Statement(sql="a", seconds=1, lock="SHARE UPDATE EXCLUSIVE", locked_seconds=9)
    blocks = Statement(sql="b", seconds=1, lock="SHARE", tables=("task",), locked_seconds=2)
    both = shown("old/old old/new", statements=(reads, blocks))

    assert both.longest_lock == blocks
    check_rehearsal(RehearsalPolicy(most_locked_seconds=2), both)
    with pytest.raises(Rejected, match=r"task would be locked \(SHARE\) for 2.00 s \(allowed: 1.5 s\) by b"):
        check_rehearsal(RehearsalPolicy(most_locked_seconds=1.5), both)


def test_a_way_back_says_how_many_seconds_of_writes_it_loses():
    back = WayBack(backup="b-1", at=NOON, now=NOON + timedelta(seconds=90))
    fields = {"environment": "production", "live": "b2", "earlier": "a1", "shown": shown("old/old old/new!")}

    with pytest.raises(Rejected, match="loses what was written in the last 90 s: headway rollback --restore b-1"):
        check_boundary(Boundary.model_validate(fields | {"way_back": back}))


@pytest.mark.parametrize("cells", ["old/old old/new", "old/old!", ""])
def test_a_boundary_that_is_safe_or_not_known_stops_nobody(cells):
    check_boundary(Boundary(environment="production", live="b2", earlier="a1", shown=shown(cells)))
