"""A plan of weights rises to 100, however it is written."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from delivery.programs import haproxy, haproxy_values
from delivery.spec.shift import PRESETS, ShiftPlan, as_plan

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
        *((f"Canary10Percent{n}Minutes", [(10, 60 * n), (100, 0)]) for n in (5, 10, 15, 30)),
        *(
            (
                f"Linear10PercentEvery{n}Minute{'s' if n > 1 else ''}",
                [*((p, 60 * n) for p in range(10, 100, 10)), (100, 0)],
            )
            for n in (1, 2, 3, 10)
        ),
    ],
)
def test_a_preset_does_what_its_name_says(preset: str, steps: list[tuple[int, float]]) -> None:
    assert weights(as_plan(preset)) == steps
    assert preset in PRESETS


# Every name in the user guide's tables for ECS and Lambda.
CODEDEPLOY = [
    *("ECSLinear10PercentEvery1Minutes", "ECSLinear10PercentEvery3Minutes", "ECSAllAtOnce", "LambdaAllAtOnce"),
    *("ECSCanary10Percent5Minutes", "ECSCanary10Percent15Minutes"),
    *(f"LambdaCanary10Percent{n}Minutes" for n in (5, 10, 15, 30)),
    *(f"LambdaLinear10PercentEvery{n}" for n in ("1Minute", "2Minutes", "3Minutes", "10Minutes")),
]


@pytest.mark.parametrize("name", CODEDEPLOY)
@pytest.mark.parametrize("prefix", ["", "CodeDeployDefault."])
def test_a_name_is_taken_as_codedeploy_writes_it(prefix: str, name: str) -> None:
    plain = name.removeprefix("ECS").removeprefix("Lambda").replace("Every1Minutes", "Every1Minute")
    assert as_plan(prefix + name) == as_plan(prefix + plain) == as_plan(plain)


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        ("Canary10Percent5Minute", "Canary10Percent5Minutes"),
        ("CodeDeployDefault.ECSLinear10PercentEvery4Minutes", "Linear10PercentEvery"),
        ("allAtOnce", "AllAtOnce"),
    ],
)
def test_an_unknown_preset_is_told_with_what_was_probably_meant(found: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"\(found {found}\); did you mean {meant}.*allowed: AllAtOnce, Canary10"):
        as_plan(found)


@pytest.mark.parametrize("found", ["HalfAtATime", "", "CodeDeployDefault."])
def test_a_preset_like_no_other_is_told_with_the_known_ones(found: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown shift plan \(found {found}\); .*allowed: AllAtOnce"):
        as_plan(found)


@st.composite
def plans(draw: st.DrawFn) -> ShiftPlan:
    """Draw any plan that is taken, however it is written."""
    kind = draw(st.sampled_from(["preset", "canary", "linear", "steps"]))
    if kind == "preset":
        return as_plan(draw(st.sampled_from([*PRESETS, *CODEDEPLOY])))
    if kind == "steps":
        percents = sorted({*draw(st.sets(PERCENTS, max_size=9)), 100})
        return ShiftPlan.model_validate({"steps": [{"percent": p, "hold_seconds": draw(HOLDS)} for p in percents]})
    return ShiftPlan.model_validate({kind: {"percent": draw(PERCENTS), "hold_seconds": draw(HOLDS)}})


EVERY_PERCENT = ShiftPlan.model_validate({"steps": [{"percent": percent} for percent in range(1, 101)]})


@example(EVERY_PERCENT, 1, 9)
@example(EVERY_PERCENT, 20, 1)
@given(plans(), st.integers(1, 20), st.integers(1, 20))
def test_weights_only_rise_end_at_100_and_sum_to_100(plan: ShiftPlan, blue: int, green: int) -> None:
    shares = []
    for step in plan.steps:
        given_weights = haproxy.weights(
            {"blue": 100 - step.percent, "green": step.percent}, {"blue": blue, "green": green}
        )
        counts = {"blue": blue, "green": green}
        servers = {
            ("web", f"{colour}-{number}"): given_weights[colour]
            for colour in haproxy_values.COLOURS
            for number in range(counts[colour])
        }
        shares.append(haproxy.percents(servers))

    greens = [share["green"] for share in shares]
    assert all(sum(share.values()) == 100 for share in shares)
    assert greens == sorted(greens)
    assert greens[-1] == 100
