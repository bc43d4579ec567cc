"""Application Auto Scaling: targets and policies are told as they were put.

What AWS says stands with each operation in local_aws/services/autoscaling.py.
"""

import pytest
from botocore.exceptions import ClientError

from tests.support.ecs import CLUSTER

pytestmark = pytest.mark.xdist_group("local-aws")
SERVICE = f"service/{CLUSTER}/scaled"
TARGET = {"ServiceNamespace": "ecs", "ResourceId": SERVICE, "ScalableDimension": "ecs:service:DesiredCount"}
TRACKING = {
    "TargetValue": 60.0,
    "ScaleInCooldown": 60,
    "ScaleOutCooldown": 30,
    "DisableScaleIn": False,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}
POLICY = {**TARGET, "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}


@pytest.fixture(scope="module")
def scaling(held):
    held.ecs.create_service(
        cluster=CLUSTER,
        serviceName="scaled",
        taskDefinition=held.define({}),
        launchType="FARGATE",
        desiredCount=0,
    )
    yield held.client("application-autoscaling")
    held.ecs.delete_service(cluster=CLUSTER, service="scaled", force=True)


@pytest.fixture
def target(scaling):
    told = scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4, Tags={"a": "b"})
    yield told["ScalableTargetARN"]
    if targets(scaling):
        scaling.deregister_scalable_target(**TARGET)


def targets(scaling):
    return scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[SERVICE])["ScalableTargets"]


def policies(scaling):
    return scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=SERVICE)["ScalingPolicies"]


def put(scaling, **more):
    return scaling.put_scaling_policy(**POLICY, TargetTrackingScalingPolicyConfiguration={**TRACKING, **more})


def error_of(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


def test_a_target_is_told_as_it_was_put_and_changed(scaling, target):
    scaling.register_scalable_target(**TARGET, MaxCapacity=8)

    (found,) = targets(scaling)
    assert (found["MinCapacity"], found["MaxCapacity"], found["ScalableTargetARN"]) == (1, 8, target)
    assert found["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    assert found["RoleARN"].endswith("/AWSServiceRoleForApplicationAutoScaling_ECSService")


def test_tags_of_a_target_are_told_changed_and_gone_with_it(scaling, target):
    scaling.tag_resource(ResourceARN=target, Tags={"c": "d", "e": "f"})
    scaling.untag_resource(ResourceARN=target, TagKeys=["a", "e"])

    assert scaling.list_tags_for_resource(ResourceARN=target)["Tags"] == {"c": "d"}
    scaling.deregister_scalable_target(**TARGET)
    assert error_of(scaling.list_tags_for_resource, ResourceARN=target) == "ResourceNotFoundException"


def test_a_policy_is_told_as_it_was_put_and_stays_the_same_one(held, scaling, target):
    made = put(scaling)
    again = put(scaling, TargetValue=50.0)

    (found,) = policies(scaling)
    assert found["TargetTrackingScalingPolicyConfiguration"] == {**TRACKING, "TargetValue": 50.0}
    assert made["PolicyARN"] == again["PolicyARN"] == found["PolicyARN"]
    assert found["Alarms"] == again["Alarms"]
    alarms = held.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"TargetTracking-{SERVICE}")["MetricAlarms"]
    assert {one["AlarmName"] for one in alarms} == {one["AlarmName"] for one in found["Alarms"]}


def test_policies_and_their_alarms_go_with_their_target(held, scaling, target):
    put(scaling)

    scaling.deregister_scalable_target(**TARGET)

    assert policies(scaling) == []
    alarms = held.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"TargetTracking-{SERVICE}")["MetricAlarms"]
    assert alarms == []


def test_what_has_no_target_has_no_policy(scaling):
    assert error_of(put, scaling=scaling) == "ObjectNotFoundException"
    assert error_of(scaling.deregister_scalable_target, **TARGET) == "ObjectNotFoundException"
