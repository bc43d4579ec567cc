"""How a release ended, and where its time went."""

import pytest

from bench.ending import REST, Ending, phases_of
from delivery.errors import Rejected, ReleaseUnhealthy, Transient
from delivery.report.record import StepTime
from tests.delivery.report.records import at


def step(name: str, start: float, end: float) -> StepTime:
    return StepTime(name=name, started=at(start), ended=at(end))


@pytest.mark.parametrize(
    ("error", "outcome", "live", "caught"),
    [
        (None, "live", True, False),
        (ReleaseUnhealthy("3 of 9 failed"), "withdrawn", False, True),
        (Rejected("no lease"), "rejected", False, False),
        (Transient("no engine"), "failed: Transient", False, False),
        (ValueError("a mistake"), "failed: ValueError", False, False),
    ],
    ids=lambda value: str(value),
)
def test_only_an_unhealthy_release_was_caught(error: Exception, outcome: str, live: bool, caught: bool) -> None:
    ending = Ending.of(error, began=1, ended=3)
    assert (ending.outcome, ending.went_live, ending.was_caught) == (outcome, live, caught)


def test_the_reason_is_the_first_line_alone() -> None:
    assert Ending.of(Rejected("no\nend of its log"), began=1, ended=3).reason == "no"


def test_phases_and_what_is_between_them_add_up_to_the_whole() -> None:
    steps = [step("take production", 0, 1), step("stage abc", 1, 4), step("shift to 10 %", 4, 5)]
    steps += [step("watch 2.0 s", 5, 7), step("shift to 100 %", 7, 9), step("retire what abc replaced", 9, 12)]

    phases = phases_of(steps, 14)

    assert phases == {"stage": 3, "shift": 3, "watch": 2, "retire": 3, REST: 3}
    assert sum(phases.values()) == 14
