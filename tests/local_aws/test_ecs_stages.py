"""The stages of ECS's deployments, as values: nothing is asked of anybody.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
"""

from dataclasses import replace

import pytest

from local_aws.services.ecs_stages import OVER, Plan, Progress, World, advance, back, positions, stage_of, wanted

PAUSE = {
    "targetType": "PAUSE",
    "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"],
    "timeoutConfiguration": {"timeoutInMinutes": 30, "action": "ROLLBACK"},
}
ALARMS = {"alarmNames": ["5xx"], "enable": True, "rollback": True}
LINEAR = {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 40, "stepBakeTimeInMinutes": 1}}
CANARY = {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10, "canaryBakeTimeInMinutes": 0}}


def plan_of(**configuration):
    told = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, **configuration}
    return Plan(told, source_tasks=2, target_tasks=2, has_balancer=True, minute_seconds=60)


def well(now, **more):
    """A world in which everything that is asked for has come about."""
    return World(now=now, source_tasks=2, target_tasks=2, target_well=2, **more)


def draw():
    return "hook"


def journey(plan, answers=True, seconds=10_000, every=10):
    """Return what was asked for while a deployment went on, and how it ended; hooks are answered as soon as seen."""
    progress, seen = Progress(), []
    for now in range(1000, 1000 + seconds, every):
        asked = wanted(plan, progress)
        world = replace(well(now), source_tasks=asked.source_tasks, target_tasks=asked.target_tasks)
        progress = advance(plan, progress, world, draw)
        stage = stage_of(plan, progress)
        if progress.status == "IN_PROGRESS" and (not seen or seen[-1] != (stage, wanted(plan, progress).percent)):
            seen.append((stage, wanted(plan, progress).percent))
        if answers:
            progress = replace(progress, hooks=tuple({**one, "status": "SUCCEEDED"} for one in progress.hooks))
        if progress.status in OVER:
            break
    return seen, progress


@pytest.mark.parametrize(
    ("configuration", "shares"),
    [({}, [100]), (CANARY, [10, 100]), (LINEAR, [40, 80, 100])],
    ids=["blue-green", "canary", "linear"],
)
def test_traffic_goes_over_in_the_shares_of_the_strategy(configuration, shares):
    seen, end = journey(plan_of(**configuration))

    shifts = [share for stage, share in seen if stage == "PRODUCTION_TRAFFIC_SHIFT"]
    assert shifts == shares
    assert end.status == "SUCCESSFUL"


def test_stages_come_in_the_order_that_aws_documents():
    seen, _ = journey(plan_of())

    assert [stage for stage, _ in seen] == [
        "RECONCILE_SERVICE",
        "PRE_SCALE_UP",
        "SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
        "CLEAN_UP",
    ]


def test_a_hook_waits_at_every_step_and_each_is_a_new_one():
    names = iter(f"hook-{number}" for number in range(10))
    plan, progress, seen = plan_of(**CANARY, lifecycleHooks=[PAUSE]), Progress(), []

    for now in range(1000, 1300):
        progress = advance(plan, progress, well(now), lambda: next(names))
        waiting = [one["hookId"] for one in progress.hooks if one["status"] == "AWAITING_ACTION"]
        if waiting:
            assert advance(plan, progress, well(now + 1), draw) is progress
            seen.append((stage_of(plan, progress), waiting[0]))
            progress = replace(progress, hooks=tuple({**one, "status": "SUCCEEDED"} for one in progress.hooks))

    assert seen == [
        ("POST_TEST_TRAFFIC_SHIFT", "hook-0"),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", "hook-1"),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", "hook-2"),
        ("POST_PRODUCTION_TRAFFIC_SHIFT", "hook-3"),
    ]


@pytest.mark.parametrize(("action", "status"), [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("CONTINUE", "SUCCESSFUL")])
def test_a_hook_that_nobody_answers_does_what_it_was_told(action, status):
    hook = {**PAUSE, "timeoutConfiguration": {"timeoutInMinutes": 1, "action": action}}

    _, end = journey(plan_of(lifecycleHooks=[hook]), answers=False)

    assert end.status == status
    assert ("timed out" in end.back_because) == (action == "ROLLBACK")


def test_the_time_to_bake_is_waited_for():
    plan = plan_of(bakeTimeInMinutes=5)
    at_bake = next(number for number, one in enumerate(plan.positions) if one.stage == "BAKE_TIME")
    progress = Progress(status="IN_PROGRESS", position=at_bake, entered=1000)

    early, late = (advance(plan, progress, well(1000 + seconds), draw) for seconds in (299, 300))

    assert early is progress
    assert stage_of(plan, late) == "CLEAN_UP"


def test_every_stage_can_be_left_by_an_alarm_and_the_old_tasks_have_all_traffic_then():
    plan = plan_of(**LINEAR, alarms=ALARMS)

    for position in range(len(plan.positions)):
        progress = Progress(status="IN_PROGRESS", position=position, entered=1000)
        gone = advance(plan, progress, well(1001, alarms=("5xx",)), draw)
        asked = wanted(plan, gone)
        going = advance(plan, gone, well(1002), draw)
        end = advance(plan, going, replace(well(1003), target_tasks=0), draw)
        assert (gone.status, gone.alarms) == ("ROLLBACK_REQUESTED", ("5xx",))
        assert (asked.percent, asked.test_percent, asked.target_tasks, asked.source_tasks) == (0, 0, 0, 2)
        assert (going.status, end.status) == ("ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")


def test_it_has_gone_back_when_no_new_task_is_left_and_the_shares_are_told():
    plan, progress = plan_of(), replace(back(Progress(position=7), "asked"), status="ROLLBACK_IN_PROGRESS")

    still_there = advance(plan, progress, well(1000), draw)
    not_told = advance(plan, progress, replace(well(1000), target_tasks=0, is_shared=False), draw)

    assert still_there is not_told is progress


def test_alarms_that_are_watched_only_stop_nothing():
    plan = plan_of(alarms={**ALARMS, "rollback": False})
    progress = Progress(status="IN_PROGRESS", position=7, entered=1000)

    assert advance(plan, progress, well(1001, alarms=("5xx",)), draw).status == "IN_PROGRESS"


@pytest.mark.parametrize(("tasks", "failed", "breaks"), [(1, 2, False), (1, 3, True), (10, 4, False), (10, 5, True)])
def test_the_circuit_breaker_acts_after_half_of_the_tasks_failed_and_three_at_least(tasks, failed, breaks):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html"""
    rolling = {"strategy": "ROLLING", "deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    plan = Plan(rolling, source_tasks=tasks, target_tasks=tasks, has_balancer=False)
    progress = Progress(status="IN_PROGRESS", entered=1000)

    told = advance(plan, progress, World(now=1001, failed=failed), draw)

    assert (told.status == "ROLLBACK_REQUESTED") == breaks


def test_a_rolling_deployment_starts_the_new_ones_and_ends_the_old_ones():
    assert [one.stage for one in positions({}, has_balancer=False)] == ["SCALE_UP", "CLEAN_UP"]


def test_tasks_that_are_not_well_keep_a_deployment_where_it_is():
    plan = plan_of()
    progress = Progress(status="IN_PROGRESS", position=2, entered=1000)

    assert advance(plan, progress, replace(well(5000), target_well=1), draw) is progress
