"""Which steps decided how long a run took."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.report.record import StepTime
from delivery.report.timeline import critical_path, lanes
from tests.delivery.values import NOON


def step(name: str, start: float, end: float) -> StepTime:
    return StepTime(name=name, started=NOON + timedelta(seconds=start), ended=NOON + timedelta(seconds=end))


STEPS = st.lists(
    st.builds(lambda start, length: step("s", start, start + length), st.floats(0, 100), st.floats(0.01, 100)),
    max_size=8,
)


def names(*steps: StepTime) -> list[str]:
    return [found.name for found in critical_path(steps)]


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([], []),
        ([("a", 0, 5)], ["a"]),
        ([("a", 0, 5), ("b", 5, 9)], ["a", "b"]),
        ([("short", 0, 2), ("long", 0, 5), ("after", 5, 6)], ["long", "after"]),
        ([("scan", 1, 9), ("test", 1, 8), ("build", 0, 1), ("publish", 9, 10)], ["build", "scan", "publish"]),
        ([("beside", 0, 3), ("last", 1, 9)], ["last"]),
        ([("a", 0, 5), ("pause", 65, 66)], ["a", "pause"]),
        ([("a", 0, 5.04), ("b", 5, 9)], ["a", "b"]),
        ([("long", 0, 1), ("inside", 0.03, 0.04)], ["long"]),
        ([("twin", 0, 0), ("twin", 0, 0)], ["twin"]),
    ],
)
def test_the_critical_path_is_the_chain_that_ended_last(steps: list[tuple[str, float, float]], path: list[str]) -> None:
    assert names(*(step(*one) for one in steps)) == path


@given(STEPS)
def test_no_step_of_the_path_begins_before_the_one_ahead_of_it_ended(steps: list[StepTime]) -> None:
    path = critical_path(steps)
    assert all(first.started <= second.started for first, second in itertools.pairwise(path))
    assert not path or path[-1].ended == max(one.ended for one in steps)


@given(STEPS)
def test_nothing_overlaps_in_a_lane(steps: list[StepTime]) -> None:
    rows: dict[int, list[StepTime]] = {}
    for row, one in lanes(steps):
        rows.setdefault(row, []).append(one)
    assert sum(map(len, rows.values())) == len(steps)
    for row in rows.values():
        assert all(first.ended <= second.started for first, second in itertools.pairwise(row))
