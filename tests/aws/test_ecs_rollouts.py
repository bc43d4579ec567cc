"""Deployments of ECS: how they are asked for, and how they are read."""

from datetime import UTC, datetime

import pytest

from delivery.aws.ecs_rollouts import configuration, rollout_of
from delivery.spec.environments import Environment


def environment(**given):
    return Environment.model_validate({"target": {"kind": "ecs", "deployer": "ecs"}, **given})


@pytest.mark.parametrize(
    ("shift", "asked"),
    [
        ("AllAtOnce", {"strategy": "BLUE_GREEN"}),
        (
            {"canary": {"percent": 5, "hold_seconds": 300}},
            {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 0}},
        ),
        (
            "Linear10PercentEvery1Minute",
            {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 10.0, "stepBakeTimeInMinutes": 0}},
        ),
    ],
)
def test_a_shift_plan_is_a_strategy_of_ecs_whose_holds_are_headways(shift, asked):
    made = configuration(environment(shift=shift), at_once=False)

    assert {key: made[key] for key in asked} == asked
    assert made["lifecycleHooks"][0]["lifecycleStages"] == [
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ]


def test_what_nobody_has_traffic_of_yet_gets_all_at_once():
    assert configuration(environment(shift={"canary": {"percent": 5}}), at_once=True)["strategy"] == "BLUE_GREEN"


def test_a_hook_waits_longer_than_the_longest_hold_the_watch_and_a_recovery_and_goes_back_then():
    asked = environment(
        shift={"canary": {"percent": 5, "hold_seconds": 600}}, watch={"seconds": 300, "longer_seconds": 60}
    )

    [hook] = configuration(asked, at_once=False)["lifecycleHooks"]

    assert hook["timeoutConfiguration"] == {"timeoutInMinutes": 31, "action": "ROLLBACK"}


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (3600, 60)])
def test_what_is_replaced_stands_for_as_long_as_it_is_to_be_kept(seconds, minutes):
    assert configuration(environment(keep_warm_seconds=seconds), at_once=False)["bakeTimeInMinutes"] == minutes


@pytest.mark.parametrize(
    ("status", "stage", "hook", "staged"),
    [
        ("IN_PROGRESS", "SCALE_UP", "", False),
        ("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", "", False),
        ("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", "AWAITING_ACTION", True),
        ("IN_PROGRESS", "A_STAGE_OF_TOMORROW", "", False),
        ("IN_PROGRESS", "PRE_PRODUCTION_TRAFFIC_SHIFT", "AWAITING_ACTION", True),
        ("IN_PROGRESS", "BAKE_TIME", "", True),
        ("SUCCESSFUL", "", "", True),
        ("ROLLBACK_IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", "AWAITING_ACTION", False),
        ("STOPPED", "", "", False),
    ],
)
def test_a_release_is_staged_when_its_deployment_waits_for_users_or_is_further(status, stage, hook, staged):
    hooks = [{"hookId": "1", "status": hook}] if hook else []
    told = {"serviceDeploymentArn": "one", "createdAt": datetime.now(UTC), "targetServiceRevision": {}}
    told |= {"status": status, "lifecycleStage": stage, "lifecycleHookDetails": hooks}

    assert rollout_of(told, "definition").is_staged is staged
