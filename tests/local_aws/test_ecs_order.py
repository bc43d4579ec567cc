"""When containers of a task start and stop: as values."""

import pytest

from local_aws.agents.ecs_order import State, may_start, never_starts, to_stop_first

CREATED, RUNNING = State("created"), State("running")


def after(condition):
    return {"dependsOn": [{"containerName": "first", "condition": condition}]}


@pytest.mark.parametrize(
    ("condition", "state", "may", "never"),
    [
        ("START", CREATED, False, False),
        ("START", RUNNING, True, False),
        ("START", State("stopped", 1), True, False),
        ("START", State("stopped", 143, "never ran"), False, True),
        ("COMPLETE", RUNNING, False, False),
        ("COMPLETE", State("stopped", 1), True, False),
        ("COMPLETE", State("stopped", None, "CannotStartContainerError"), False, True),
        ("SUCCESS", State("stopped", 0), True, False),
        ("SUCCESS", State("stopped", 1), False, True),
        ("HEALTHY", RUNNING, False, False),
        ("HEALTHY", State("running", health="UNHEALTHY"), False, False),
        ("HEALTHY", State("running", health="HEALTHY"), True, False),
        ("HEALTHY", State("stopped", 0, health="HEALTHY"), False, True),
    ],
)
def test_a_container_starts_when_what_it_depends_on_has_come(condition, state, may, never):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html"""
    states, definitions = {"first": state}, {"first": {}}

    assert may_start(after(condition), states) is may
    assert bool(never_starts(after(condition), states, definitions)) is never


def test_a_dependency_that_takes_longer_than_it_may_is_given_up():
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html, startTimeout"""
    definitions = {"first": {"startTimeout": 10}}

    assert never_starts(after("SUCCESS"), {"first": State("running", age_seconds=9)}, definitions) == ""
    assert "within 10 seconds" in never_starts(
        after("SUCCESS"), {"first": State("running", age_seconds=11)}, definitions
    )


def test_containers_are_stopped_in_the_order_against_that_of_their_start():
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html, dependsOn"""
    definitions = {"first": {}, "second": after("START"), "alone": {}}

    assert to_stop_first(["first", "second", "alone"], definitions) == ["second", "alone"]
    assert to_stop_first(["first"], definitions) == ["first"]
