"""Which freeze holds an environment: the newest of equal reach, the longest of several, and none once it is over."""

from datetime import timedelta

import pytest

from delivery.changes.freezes import FreezeMark, Freezes, check_free, frozen_by
from delivery.errors import Rejected
from delivery.memory.store import MemoryStore
from tests.delivery.values import NOON

HOUR = timedelta(hours=1)


def mark(minute: int, environment: str | None = "production", *, frozen: bool = True, hours: float | None = None):
    at = NOON + timedelta(minutes=minute)
    until = NOON + hours * HOUR if hours else None
    fields = {"at": at, "app": "shop", "environment": environment, "frozen": frozen, "by": "ana", "until": until}
    return FreezeMark.model_validate(fields | {"reason": f"reason {minute}"})


def test_a_freeze_holds_until_somebody_ends_it() -> None:
    marks = [mark(1)]
    assert frozen_by(marks, "production", NOON + 10_000 * HOUR) == marks[0]
    assert frozen_by([*marks, mark(2, frozen=False)], "production", NOON + HOUR) is None


def test_a_freeze_that_is_over_holds_nothing() -> None:
    marks = [mark(1, hours=2)]
    assert frozen_by(marks, "production", NOON + 1.9 * HOUR) == marks[0]
    assert frozen_by(marks, "production", NOON + 2 * HOUR) is None


def test_a_freeze_is_of_its_environment_or_of_all() -> None:
    assert frozen_by([mark(1, "staging")], "production", NOON + HOUR) is None
    assert frozen_by([mark(1, None)], "production", NOON + HOUR) is not None


def test_a_short_freeze_of_all_does_not_end_a_long_one_of_one() -> None:
    marks = [mark(1, hours=72), mark(2, None, hours=2)]
    assert frozen_by(marks, "production", NOON + HOUR) == marks[0]
    assert frozen_by(marks, "production", NOON + 3 * HOUR) == marks[0]
    assert frozen_by(marks, "staging", NOON + 3 * HOUR) is None


def test_a_new_freeze_of_equal_reach_takes_the_place_of_the_old_one() -> None:
    marks = [mark(1, hours=72), mark(2, hours=2)]
    assert frozen_by(marks, "production", NOON + 3 * HOUR) is None


def test_to_free_one_environment_leaves_the_others_frozen() -> None:
    marks = [mark(1, None), mark(2, "production", frozen=False)]
    assert frozen_by(marks, "production", NOON + HOUR) is None
    assert frozen_by(marks, "staging", NOON + HOUR) == marks[0]


def test_to_free_all_frees_each() -> None:
    marks = [mark(1), mark(2, "staging"), mark(3, None, frozen=False)]
    assert [frozen_by(marks, name, NOON + HOUR) for name in ("production", "staging")] == [None, None]


def test_who_is_refused_reads_who_froze_it_why_until_when_and_what_to_do() -> None:
    with pytest.raises(Rejected) as refused:
        check_free([mark(1, hours=2)], "shop", "production", NOON + HOUR, goes_back=False)
    assert str(refused.value) == (
        "production of shop is frozen until 2026-03-04 14:00 UTC by ana since 2026-03-04 12:01 UTC: reason 1; "
        "allowed: after its end, or a rollback that says so\n  next: headway thaw production --app shop"
    )


def test_what_was_said_is_kept_in_order_for_each_application() -> None:
    store = MemoryStore()
    for one in (mark(2), mark(1)):
        Freezes(store, "shop").add(one)
    assert [one.reason for one in Freezes(store, "shop").all()] == ["reason 1", "reason 2"]
    assert Freezes(store, "other").all() == []
