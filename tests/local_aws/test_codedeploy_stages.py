"""The lifecycle events and waits of CodeDeploy's deployments to ECS, as values: nothing is asked of anybody.

https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from dataclasses import replace

import pytest

from local_aws.services.codedeploy_configs import PREDEFINED
from local_aws.services.codedeploy_stages import (
    OVER,
    READY,
    TERMINATION,
    Plan,
    Progress,
    World,
    advance,
    here,
    steps_of,
    stop,
    wanted,
)

ALL = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
AT_ONCE = ((100.0, 0.0),)


def plan_of(steps=AT_ONCE, **given):
    asked = {"hooks": {}, "blue_tasks": 2, "green_tasks": 2, "has_test": True, "rolls_back_on": ALL, **given}
    return Plan(steps=steps, **asked)


def world_of(plan, progress, now, **more):
    """A world in which everything that is asked for has come about."""
    asked = wanted(plan, progress)
    return World(now, asked.blue_tasks, asked.green_tasks, asked.green_tasks, **more)


def draw():
    return "execution"


def journey(plan, progress=None, seconds=10_000, every=10, answer="Succeeded", goes_on=(READY, TERMINATION), **more):
    """Return where a deployment was, with the shares of users and testers, and how it ended."""
    progress, seen = progress or Progress(), []
    for now in range(1000, 1000 + seconds, every):
        progress = advance(plan, progress, world_of(plan, progress, now, **more), draw)
        at, asked = here(plan, progress), wanted(plan, progress)
        if (
            progress.status not in OVER
            and not at.ends
            and (not seen or seen[-1] != (at.event or at.wait, asked.percent))
        ):
            seen.append((at.event or at.wait, asked.percent))
        if progress.status in OVER and (not progress.rolls_back or progress.is_back):
            break
        if at.hook and answer:
            progress = replace(progress, answered=answer)
        if at.wait in goes_on:
            progress = replace(progress, continued=at.wait)
    return seen, progress


def names(seen):
    return list(dict.fromkeys(event for event, _ in seen))


def test_events_come_in_the_order_that_aws_documents():
    hooks = dict.fromkeys(
        ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"), "f"
    )
    seen, end = journey(plan_of(hooks=hooks, ready_minutes=5))

    assert names(seen) == [
        "BeforeInstall",
        "Install",
        "AfterInstall",
        "AllowTestTraffic",
        "AfterAllowTestTraffic",
        "READY_WAIT",
        "BeforeAllowTraffic",
        "AllowTraffic",
        "AfterAllowTraffic",
        "TERMINATION_WAIT",
    ]
    assert end.status == "Succeeded"
    assert [name for name, *_ in end.events] == [name for name in names(seen) if not name.endswith("WAIT")]
    assert {status for _, status, *_ in end.events} == {"Succeeded"}


@pytest.mark.parametrize(
    ("config", "shares"),
    [
        ("CodeDeployDefault.ECSAllAtOnce", [100]),
        ("CodeDeployDefault.ECSCanary10Percent5Minutes", [10, 100]),
        ("CodeDeployDefault.ECSLinear10PercentEvery1Minutes", [*range(10, 101, 10)]),
    ],
)
def test_traffic_goes_over_in_the_shares_of_the_configuration(config, shares):
    seen, end = journey(plan_of(steps_of(PREDEFINED[config])))

    assert [share for event, share in seen if event == "AllowTraffic"] == shares
    assert end.status == "Succeeded"


def test_a_share_stands_for_as_many_minutes_as_its_interval():
    plan, progress, moments = plan_of(((10, 5), (100, 0))), Progress(), {}
    for now in range(0, 1000, 10):
        progress = advance(plan, progress, world_of(plan, progress, now), draw)
        moments.setdefault(wanted(plan, progress).percent, now)

    assert moments[100] - moments[10] == 5 * 60


def test_one_that_waits_to_be_continued_serves_testers_alone_and_is_ready():
    plan = plan_of(ready_minutes=30)
    _, waiting = journey(plan, goes_on=(), seconds=500)

    assert waiting.status == "Ready"
    assert wanted(plan, waiting) == replace(wanted(plan, waiting), percent=0, test_percent=100, green_tasks=2)


@pytest.mark.parametrize("wait", [READY, TERMINATION])
def test_a_wait_that_somebody_ends_is_over_at_once(wait):
    plan = plan_of(ready_minutes=30, termination_minutes=30)
    _, waiting = journey(plan, goes_on=() if wait == READY else (READY,), seconds=500)

    now = advance(plan, replace(waiting, continued=wait), world_of(plan, waiting, 2000), draw)

    assert here(plan, waiting).wait == wait
    assert here(plan, now).wait != wait or now.status == "Succeeded"


def test_one_that_nobody_continues_is_stopped_and_goes_back():
    _, end = journey(plan_of(ready_minutes=30), goes_on=(), seconds=5000)

    assert (end.status, end.code, end.rolls_back, end.is_back) == ("Stopped", "MANUAL_STOP", True, True)


@pytest.mark.parametrize(
    ("answer", "words"), [("Failed", "The validation hook AfterAllowTraffic failed"), ("", "timed out")]
)
def test_a_hook_that_fails_or_that_nobody_answers_within_an_hour_sends_it_back(answer, words):
    plan = plan_of(hooks={"AfterAllowTraffic": "f"})
    _, end = journey(plan, answer=answer)

    assert (end.status, end.code, end.is_back) == ("Failed", "HOOK_EXECUTION_FAILURE", True)
    assert words in end.message
    assert wanted(plan, end) == replace(wanted(plan, end), percent=0, test_percent=0, green_tasks=0, blue_tasks=2)


def test_an_alarm_stops_it_and_it_goes_back():
    plan = plan_of(((10, 5), (100, 0)))
    seen, _ = journey(plan, seconds=200)
    _, end = journey(plan, alarms=("5xx",))

    assert seen
    assert (end.status, end.code, end.is_back) == ("Stopped", "ALARM_ACTIVE", True)
    assert end.message == "One or more alarms have been activated: 5xx"


def test_tasks_that_are_not_healthy_within_an_hour_end_it():
    plan, progress = plan_of(), Progress()
    for now in range(0, 4000, 10):
        progress = advance(plan, progress, replace(world_of(plan, progress, now), green_well=1), draw)

    assert (progress.status, progress.code) == ("Failed", "HEALTH_CONSTRAINTS")


def test_one_that_is_held_stays_at_its_share_whatever_the_clock_says():
    plan = plan_of(((10, 5), (100, 0)))
    _, now = journey(plan, seconds=200)
    much_later = world_of(plan, now, 10**9)

    held = advance(plan, now, replace(much_later, is_held=True), draw)

    assert wanted(plan, held).percent == 10
    assert wanted(plan, advance(plan, now, much_later, draw)).percent == 100


def test_one_that_goes_back_sends_users_back_before_it_stops_a_task():
    plan = plan_of(((10, 5), (100, 0)))
    _, now = journey(plan, seconds=200)
    progress = stop(plan, now, 2000, "by a user", goes_back=True)

    before = wanted(plan, progress)
    unshared = advance(plan, progress, replace(world_of(plan, progress, 2001), is_shared=False), draw)
    away = advance(plan, progress, world_of(plan, progress, 2002), draw)

    assert (before.percent, before.green_tasks) == (0, 2)
    assert unshared == progress
    assert wanted(plan, away).green_tasks == 0
    assert not away.is_back
    assert advance(plan, away, world_of(plan, away, 2003), draw).is_back


def test_what_it_replaced_stands_until_the_wait_is_over_or_ended():
    plan = plan_of(termination_minutes=10)
    _, waiting = journey(plan, goes_on=(), seconds=300)
    _, waited = journey(plan, goes_on=(), seconds=3000)
    _, ended = journey(plan, seconds=300)

    assert (waiting.status, wanted(plan, waiting).blue_tasks) == ("InProgress", 2)
    assert waited.status == ended.status == "Succeeded"
    assert wanted(plan, ended).blue_tasks == 0


def test_without_rollback_one_that_is_stopped_leaves_everything_as_it_is():
    plan = plan_of(((10, 5), (100, 0)), rolls_back_on=())
    _, now = journey(plan, seconds=200)
    end = stop(plan, now, 2000, "by a user", goes_back=False)

    assert (end.status, end.rolls_back) == ("Stopped", False)
    assert wanted(plan, end) == wanted(plan, now)
    assert advance(plan, end, world_of(plan, end, 2001), draw) is end
