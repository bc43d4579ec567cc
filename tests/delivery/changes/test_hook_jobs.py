"""Hooks are told how a release ended, and those of a failure are run whenever it did not go live."""

import pytest

from delivery.changes.hook_jobs import HookEvent
from tests.delivery.values import make_release


@pytest.mark.parametrize(
    ("outcome", "reason", "moment"),
    [
        ("delivered", "", "after_release"),
        ("rolled-back", "", "after_release"),
        ("failed", "", "after_failure"),  # what was raised said nothing
        ("withdrawn", "too many errors", "after_failure"),
        ("interrupted", "", "after_failure"),
    ],
)
def test_only_what_went_live_is_told_as_a_release(outcome: str, reason: str, moment: str) -> None:
    begun = HookEvent(environment="production", release=make_release(1), sequence=7)

    ended = begun.ended(outcome, reason)

    assert begun.moment == "before_release"
    assert (ended.moment, ended.outcome, ended.reason, ended.sequence) == (moment, outcome, reason, 7)
