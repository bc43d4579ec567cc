"""A plan of weights rises to 100, however it is written."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from delivery.shift import PRESETS, ShiftPlan, as_plan

PERCENTS = st.integers(1, 100)
HOLDS = st.floats(0, 86400)


def weights(plan: ShiftPlan) -> list[tuple[int, float]]:
    return [(step.percent, step.hold_seconds) for step in plan.steps]


@given(st.sampled_from(["canary", "linear"]), PERCENTS, HOLDS)
def test_every_plan_rises_and_ends_at_100(kind: str, percent: int, hold: float) -> None:
    plan = ShiftPlan.model_validate({kind: {"percent": percent, "hold_seconds": hold}})
    percents = [step.percent for step in plan.steps]
    assert percents == sorted(set(percents))
    assert (percents[0], percents[-1]) == (percent, 100)


@given(PERCENTS, HOLDS)
def test_no_step_of_a_linear_plan_is_larger_than_said(percent: int, hold: float) -> None:
    plan = ShiftPlan.model_validate({"linear": {"percent": percent, "hold_seconds": hold}})
    percents = [0, *(step.percent for step in plan.steps)]
    assert all(0 < after - before <= percent for before, after in pairwise(percents))


@given(st.lists(PERCENTS, min_size=1, max_size=5))
def test_steps_are_taken_when_they_rise_to_100_and_only_then(percents: list[int]) -> None:
    rises = percents == sorted(set(percents)) and percents[-1] == 100
    try:
        plan = ShiftPlan.model_validate({"steps": [{"percent": percent} for percent in percents]})
    except ValidationError:
        assert not rises
    else:
        assert rises
        assert [step.percent for step in plan.steps] == percents


@pytest.mark.parametrize(
    ("preset", "steps"),
    [
        ("AllAtOnce", [(100, 0)]),
        ("Canary10Percent5Minutes", [(10, 300), (100, 0)]),
        ("Canary10Percent15Minutes", [(10, 900), (100, 0)]),
        ("Linear10PercentEvery1Minute", [*((percent, 60) for percent in range(10, 100, 10)), (100, 0)]),
        ("Linear10PercentEvery3Minutes", [*((percent, 180) for percent in range(10, 100, 10)), (100, 0)]),
    ],
)
def test_a_preset_does_what_its_name_says(preset: str, steps: list[tuple[int, float]]) -> None:
    assert weights(as_plan(preset)) == steps


def test_all_presets_are_known() -> None:
    assert len(PRESETS) == 5
