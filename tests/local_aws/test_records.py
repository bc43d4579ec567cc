"""Records that are ours: the same after a kill, with their ids and times."""

import signal

import pytest

from tests.local_aws.test_autoscaling import POLICY, SERVICE, TARGET, TRACKING
from tests.local_aws.test_backup import RESTORED, RULE, SELECTION, TESTING, TOLD
from tests.local_aws.test_cloudwatch import METRIC, arn
from tests.local_aws.test_codedeploy import CANARY, GROUP
from tests.support.ecs import CLUSTER, HELD, Tasks
from tests.support.local_aws import local_aws

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture
def server(tmp_path):
    with local_aws(tmp_path) as server:
        server.put_faults(HELD)
        yield server


def test_what_was_put_is_the_same_after_a_kill(server):
    look = [make(server) for make in (make_service, make_deployments, make_alarms, make_backups)]
    before = [told() for told in look]
    server.stop(signal.SIGKILL)
    server.start()

    assert [told() for told in look] == before


def make_service(server):
    tasks = Tasks(server).ready()
    tasks.ecs.create_service(
        cluster=CLUSTER,
        serviceName="scaled",
        taskDefinition=tasks.define({}),
        launchType="FARGATE",
        desiredCount=0,
        healthCheckGracePeriodSeconds=30,
    )
    scaling = server.client("application-autoscaling")
    target = scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4, Tags={"a": "b"})
    for value in (50.0, 60.0):
        configuration = {**TRACKING, "TargetValue": value}
        scaling.put_scaling_policy(**POLICY, TargetTrackingScalingPolicyConfiguration=configuration)

    def told():
        asked = {"ServiceNamespace": "ecs"}
        scaling = server.client("application-autoscaling")
        return (
            server.client("ecs").describe_services(cluster=CLUSTER, services=["scaled"])["services"],
            scaling.describe_scalable_targets(**asked, ResourceIds=[SERVICE])["ScalableTargets"],
            scaling.describe_scaling_policies(**asked)["ScalingPolicies"],
            scaling.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"],
        )

    return told


def make_deployments(server):
    codedeploy = server.client("codedeploy")
    codedeploy.create_deployment_config(deploymentConfigName="fast", computePlatform="ECS", trafficRoutingConfig=CANARY)
    codedeploy.create_application(applicationName="app", computePlatform="ECS")
    codedeploy.create_deployment_group(
        applicationName="app", deploymentGroupName="group", deploymentConfigName="fast", **GROUP
    )

    def told():
        codedeploy = server.client("codedeploy")
        return (
            codedeploy.get_application(applicationName="app")["application"],
            codedeploy.get_deployment_group(applicationName="app", deploymentGroupName="group")["deploymentGroupInfo"],
            codedeploy.get_deployment_config(deploymentConfigName="fast")["deploymentConfigInfo"],
        )

    return told


def make_alarms(server):
    cloudwatch = server.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="first", **METRIC)
    cloudwatch.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(first)", Tags=[{"Key": "a", "Value": "b"}])
    cloudwatch.set_alarm_state(AlarmName="first", StateValue="ALARM", StateReason="tested")

    def told():
        cloudwatch = server.client("cloudwatch")
        found = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])
        tags = cloudwatch.list_tags_for_resource(ResourceARN=arn("any"))["Tags"]
        return found["CompositeAlarms"], found["MetricAlarms"], tags

    return told


def make_backups(server):
    backup = server.client("backup")
    backup.create_backup_vault(BackupVaultName="vault", BackupVaultTags={"a": "b"})
    backup.put_backup_vault_notifications(BackupVaultName="vault", **TOLD)
    plan = backup.create_backup_plan(BackupPlan={"BackupPlanName": "daily", "Rules": [RULE]})["BackupPlanId"]
    selection = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=SELECTION)["SelectionId"]
    backup.create_restore_testing_plan(RestoreTestingPlan=TESTING)
    named = {"RestoreTestingPlanName": "weekly"}
    backup.create_restore_testing_selection(**named, RestoreTestingSelection=RESTORED)

    def told():
        backup = server.client("backup")
        answers = (
            backup.get_backup_vault_notifications(BackupVaultName="vault"),
            backup.get_backup_selection(BackupPlanId=plan, SelectionId=selection),
            backup.get_restore_testing_plan(**named),
            backup.list_restore_testing_selections(**named),
        )
        return [{name: one[name] for name in one if name != "ResponseMetadata"} for one in answers]

    return told
