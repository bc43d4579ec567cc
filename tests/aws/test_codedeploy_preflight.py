"""What speaks against a release by CodeDeploy, and what is known of alarms, is told before anything starts."""

import secrets
from dataclasses import replace

import pytest

from delivery.aws.service_preflight import service_looks
from delivery.aws.service_ways import ServiceWay, Ways
from delivery.ports.preflight import look_at
from tests.support.codedeploy import CodeDeployShop
from tests.support.ecs import CLUSTER, Tasks
from tests.support.ecs_service import make_way
from tests.support.ecs_shop import make_balancer

pytestmark = pytest.mark.xdist_group("local-aws")
APPLICATION = "preflights"


@pytest.fixture(scope="module")
def tasks(aws):
    found = Tasks(aws)
    found.ecs.create_cluster(clusterName=CLUSTER)
    return found


@pytest.fixture(scope="module")
def balancer(tasks):
    return make_balancer(tasks)


@pytest.fixture
def ways(tasks, balancer):
    """A service that CodeDeploy can deploy, as its environment's infrastructure tells of it."""
    way = make_way(balancer, f"web-{secrets.token_hex(3)}")
    CodeDeployShop(tasks, way, APPLICATION).create("one", 0)
    groups = tuple(way.groups.values())
    told = ServiceWay("web", way.name, groups, way.rules["production"], way.rules["test"], way.name)
    queue = tasks.client("sqs").create_queue(QueueName=way.name)["QueueUrl"]
    return Ways({"web": told}, "http://users", "http://tests", "", APPLICATION, "function", queue)


def seen(aws, ways, deployer="codedeploy", kept=0.0):
    looks = service_looks(aws.access(tries=2), CLUSTER, ways, deployer, kept)
    return {one.what.split()[0]: one for one in look_at(looks)}


def test_a_service_that_codedeploy_can_deploy_is_well(aws, ways):
    found = seen(aws, ways)

    assert [one.found for one in found.values() if not one.is_well] == []
    assert found["service"].found == "ACTIVE, 0 of 0 tasks, controller CODE_DEPLOY"
    assert found["deployment"].found == "waits for users, and 60 minutes before the old tasks go"


def options(tasks, ways, **given):
    tasks.client("codedeploy").update_deployment_group(
        applicationName=APPLICATION,
        currentDeploymentGroupName=ways.services["web"].service,
        blueGreenDeploymentConfiguration=given,
    )


def test_a_group_that_gives_users_a_release_unasked_is_named(aws, tasks, ways):
    options(tasks, ways, deploymentReadyOption={"actionOnTimeout": "CONTINUE_DEPLOYMENT"})

    found = seen(aws, ways)["deployment"]

    assert not found.is_well
    assert "CONTINUE_DEPLOYMENT: users get a release unasked; allowed: STOP_DEPLOYMENT" in found.found


def test_a_group_that_ends_the_old_tasks_before_their_time_is_named(aws, ways):
    found = seen(aws, ways, kept=3601)["deployment"]

    assert "terminationWaitTimeInMinutes: 60, and keep_warm_seconds is 3601; allowed: 61 or more" in found.found


def test_groups_queues_and_hooks_that_are_not_there_are_named(aws, ways):
    other = replace(ways.services["web"], deployment_group="other")
    nobody = {"application": replace(ways, application=""), "queue": replace(ways, queue=f"{ways.queue}-x")}

    assert "other of preflights: is not there" in seen(aws, replace(ways, services={"web": other}))["deployment"].found
    assert "codedeploy_app: is not told" in seen(aws, nobody["application"])["deployment"].found
    assert f"codedeploy_queue: there is no {ways.queue}-x" in seen(aws, nobody["queue"])["hook"].found
    assert "codedeploy_hook: is not told" in seen(aws, replace(ways, hook=""))["hook"].found


def test_a_service_that_ecs_deploys_is_told_to_codedeploy(aws, tasks, ways):
    tasks.ecs.update_service(
        cluster=CLUSTER, service=ways.services["web"].service, deploymentController={"type": "ECS"}
    )

    assert "is deployed by its controller ECS; allowed: CODE_DEPLOY" in seen(aws, ways)["service"].found


def test_alarms_are_there_quiet_and_heard(aws, tasks, ways):
    cloudwatch, name = tasks.client("cloudwatch"), f"{ways.services['web'].service}-5xx"
    metric = {"Namespace": "X", "MetricName": "X", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum"}
    with_alarm = replace(ways, alarms=(name,))

    missing = seen(aws, with_alarm)["alarms"]
    cloudwatch.put_metric_alarm(AlarmName=name, ComparisonOperator="GreaterThanThreshold", Threshold=1, **metric)
    quiet = seen(aws, with_alarm)["alarms"]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    stopped, told = (seen(aws, with_alarm, deployer)["alarms"] for deployer in ("codedeploy", "ecs"))

    assert f"there is no alarm {name}" in missing.found
    assert (quiet.is_well, quiet.found) == (True, "1 stop a release")
    assert f"alarm {name}: is in ALARM: CodeDeploy would stop the release" in stopped.found
    assert told.is_well
    assert f"{name} is in ALARM: ECS looks at no alarm in the next deployment" in told.found
