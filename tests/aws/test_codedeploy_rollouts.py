"""Deployments of CodeDeploy: how they are asked for, and how they are read."""

import json
from datetime import UTC, datetime

import pytest

from delivery.aws.app_spec import app_spec, definition_in
from delivery.aws.codedeploy_rollouts import rollout_of
from delivery.aws.deployment_config import config_of
from delivery.spec.shift import ShiftPlan, as_plan


@pytest.mark.parametrize(
    ("plan", "name", "routing"),
    [
        (as_plan("AllAtOnce"), "CodeDeployDefault.ECSAllAtOnce", None),
        (
            as_plan("Canary10Percent5Minutes"),
            "headway-canary-10-5m",
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}},
        ),
        (
            ShiftPlan.model_validate({"linear": {"percent": 25, "hold_seconds": 120}}),
            "headway-linear-25-2m",
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 25, "linearInterval": 2}},
        ),
    ],
)
def test_a_shift_plan_is_a_configuration_of_codedeploy(plan, name, routing):
    assert config_of(plan) == (name, routing)


def test_the_definition_of_a_revision_is_read_back():
    content = app_spec("arn:task/1", "web", 8000, {"AfterAllowTraffic": "f"})

    told = {"revision": {"appSpecContent": {"content": content}}}
    assert definition_in(told) == "arn:task/1"
    assert json.loads(content)["Hooks"] == [{"AfterAllowTraffic": "f"}]
    assert [definition_in(one) for one in ({}, {"revision": {"appSpecContent": {"content": "Resources: []"}}})] == [
        "",
        "",
    ]


def read(status, events=None, *, green=0.0, terminating=False, goes_back=False, **more):
    told = {"deploymentId": "d-1", "createTime": datetime.now(UTC), "status": status}
    told |= {"instanceTerminationWaitTimeStarted": terminating, **more}
    target = {
        "lifecycleEvents": [{"lifecycleEventName": name, "status": one} for name, one in (events or {}).items()],
        "taskSetsInfo": [{"taskSetLabel": "Green", "trafficWeight": green}],
    }
    return rollout_of(told, target, goes_back=goes_back)


PENDING = dict.fromkeys(("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"), "Pending")


@pytest.mark.parametrize(
    ("status", "events", "staged"),
    [
        ("Created", {}, False),
        ("InProgress", {"Install": "InProgress", **PENDING}, False),
        ("InProgress", {"AfterAllowTestTraffic": "InProgress", **PENDING}, False),
        ("Ready", PENDING, True),
        ("InProgress", {**PENDING, "AllowTraffic": "InProgress"}, True),
        ("Succeeded", {}, True),
        ("Stopped", {"AllowTraffic": "Failed"}, False),
        ("Failed", PENDING, False),
    ],
)
def test_a_release_is_staged_when_its_deployment_is_ready_for_users_or_further(status, events, staged):
    assert read(status, events).is_staged is staged


@pytest.mark.parametrize(
    ("found", "waits_at"),
    [
        (read("Ready"), "READY_WAIT"),
        (read("InProgress", {"AllowTraffic": "InProgress"}), ""),
        (read("InProgress", {"AllowTraffic": "Succeeded", "AfterAllowTraffic": "InProgress"}), "AfterAllowTraffic"),
        (read("InProgress", {"AfterAllowTraffic": "Succeeded"}, terminating=True), "TERMINATION_WAIT"),
    ],
)
def test_what_a_deployment_waits_for_is_known(found, waits_at):
    assert found.waits_at == waits_at


def test_one_that_another_deployment_takes_back_is_not_over():
    error = {"code": "ALARM_ACTIVE", "message": "5xx"}
    back = read("Stopped", goes_back=True, errorInformation=error)

    assert (back.is_active, back.is_open, back.has_held, back.reason) == (True, False, False, "ALARM_ACTIVE: 5xx")


def test_the_share_of_users_is_that_of_the_new_tasks_and_all_at_the_end():
    assert read("InProgress", {"AllowTraffic": "InProgress"}, green=10.0).percent == 10
    assert read("Succeeded").percent == 100
