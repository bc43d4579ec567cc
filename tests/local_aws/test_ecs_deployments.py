"""Services of ECS that run their tasks, and ECS's own blue-green deployments of them, under requests of users.

What AWS says stands with the operations in local_aws/services/ecs_deployments.py and ecs_stages.py.
"""

import signal
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from delivery.home import Home
from tests.support.ecs import CLUSTER, Tasks
from tests.support.ecs_service import Balancer, load, make_way, waited
from tests.support.ecs_shop import Shop, make_balancer
from tests.support.local_aws import Server
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-tasks")]
STAGES = ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"]
ROLE = "arn:aws:iam::123456789012:role/traffic"


def pause(*stages: str, minutes: int = 60) -> dict[str, Any]:
    limit = {"timeoutInMinutes": minutes, "action": "ROLLBACK"}
    return {"targetType": "PAUSE", "lifecycleStages": list(stages or STAGES), "timeoutConfiguration": limit}


class EcsShop(Shop):
    """One that ECS itself deploys."""

    def deploy(self, text: str, kind: str = "good", count: int = 1, **configuration: Any) -> str:
        advanced = {
            "alternateTargetGroupArn": self.way.groups["green"],
            "productionListenerRule": self.way.rules["production"],
            "testListenerRule": self.way.rules["test"],
            "roleArn": ROLE,
        }
        told = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, **configuration}
        service = self.ecs.update_service(
            cluster=CLUSTER,
            service=self.way.name,
            taskDefinition=self.define(text, kind),
            desiredCount=count,
            deploymentConfiguration=told,
            loadBalancers=[{**self.pair, "advancedConfiguration": advanced}],
        )["service"]
        return service["currentServiceDeployment"]

    def look(self, arn: str) -> dict[str, Any]:
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def waits_at(self, arn: str, stage: str) -> dict[str, Any]:
        """Return the hook that waits at a stage."""

        def look() -> dict[str, Any] | None:
            now = self.look(arn)
            assert now["status"] in ("PENDING", "IN_PROGRESS"), now
            waiting = [one for one in now["lifecycleHookDetails"] if one["status"] == "AWAITING_ACTION"]
            return waiting[0] if waiting and now.get("lifecycleStage") == stage else None

        return waited(look)

    def go_on(self, arn: str, stage: str, action: str = "CONTINUE") -> None:
        hook = self.waits_at(arn, stage)
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], action=action)

    def ends(self, arn: str, seconds: float = 60) -> dict[str, Any]:
        over = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL")
        return waited(lambda: now if (now := self.look(arn))["status"] in over else None, seconds)


@pytest.fixture(scope="module")
def balancer(running: Tasks):
    Home(running.server.home).identity  # noqa: B018  # so that there is something on Docker
    made = make_balancer(running)
    yield made
    made.remove()


@pytest.fixture
def shop(running: Tasks, balancer: Balancer, request: pytest.FixtureRequest):
    made = EcsShop(running, make_way(balancer, f"shop-{abs(hash(request.node.name)) % 10**8}"))
    yield made
    made.remove()


@pytest.fixture
def live(shop: EcsShop):
    shop.create("one")
    shop.serves("one")
    return shop


def test_a_service_keeps_as_many_tasks_as_are_asked_for_and_starts_them_again(shop: EcsShop, running: Tasks) -> None:
    shop.create("one", count=2)
    running.ecs.deregister_task_definition(taskDefinition=shop.described()["taskDefinition"])

    full = waited(lambda: now if (now := shop.described())["runningCount"] == 2 else None)
    [gone, stays] = running.ecs.list_tasks(cluster=CLUSTER, serviceName=shop.way.name)["taskArns"]
    running.ecs.stop_task(cluster=CLUSTER, task=gone)
    running.stopped(gone)
    waited(lambda: shop.described()["runningCount"] == 2)
    now = running.ecs.list_tasks(cluster=CLUSTER, serviceName=shop.way.name)["taskArns"]
    shop.ecs.update_service(cluster=CLUSTER, service=shop.way.name, desiredCount=1)
    less = waited(lambda: now if (now := shop.described())["runningCount"] == 1 else None)

    assert [one["rolloutState"] for one in full["deployments"]] == ["COMPLETED"]
    assert full["deployments"][0]["id"] == running.describe(stays)["startedBy"]
    assert running.describe(stays)["group"] == f"service:{shop.way.name}"
    assert gone not in now
    assert any("has started 2 tasks" in one["message"] for one in full["events"])
    assert (less["desiredCount"], less["pendingCount"]) == (1, 0)


def test_a_deployment_waits_at_its_hooks_and_moves_traffic_step_by_step_without_a_lost_request(live: EcsShop) -> None:
    canary = {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 0}
    with load(live.way.url) as came:
        arn = live.deploy("two", strategy="CANARY", canaryConfiguration=canary, lifecycleHooks=[pause()])
        live.waits_at(arn, "POST_TEST_TRAFFIC_SHIFT")
        waited(lambda: httpx.get(live.way.test_url, trust_env=False).text == "two")
        before = live.way.shares()
        live.go_on(arn, "POST_TEST_TRAFFIC_SHIFT")
        live.go_on(arn, "PRE_PRODUCTION_TRAFFIC_SHIFT")
        waited(lambda: live.way.shares() == {"blue": 80, "green": 20})
        waited(lambda: came["200 two"] > 0)
        live.go_on(arn, "PRE_PRODUCTION_TRAFFIC_SHIFT")
        live.waits_at(arn, "POST_PRODUCTION_TRAFFIC_SHIFT")
        both = live.look(arn)
        live.go_on(arn, "POST_PRODUCTION_TRAFFIC_SHIFT")
        end = live.ends(arn)

    now = live.described()
    revisions = [end["targetServiceRevision"]["arn"], end["sourceServiceRevisions"][0]["arn"]]
    told = live.ecs.describe_service_revisions(serviceRevisionArns=revisions)["serviceRevisions"]
    assert before == {"blue": 100, "green": 0}
    assert both["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100
    assert both["sourceServiceRevisions"][0]["runningTaskCount"] == 1
    assert end["status"] == "SUCCESSFUL"
    assert live.way.shares() == live.way.shares("test") == {"blue": 0, "green": 100}
    assert set(came) == {"200 one", "200 two"}
    assert [one["taskDefinition"] for one in now["deployments"]] == [told[0]["taskDefinition"]]
    assert told[0]["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"] == live.way.groups["green"]


@pytest.mark.parametrize(
    "way", ["alarm", *(pytest.param(one, marks=pytest.mark.long) for one in ("hook", "stop", "timeout"))]
)
def test_a_deployment_goes_back_and_nobody_loses_a_request(live: EcsShop, way: str) -> None:
    cloudwatch, alarm = live.tasks.client("cloudwatch"), f"{live.way.name}-5xx"
    metric = {"Namespace": "X", "MetricName": "X", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum"}
    cloudwatch.put_metric_alarm(AlarmName=alarm, ComparisonOperator="GreaterThanThreshold", Threshold=1, **metric)
    watched = {"alarmNames": [alarm], "enable": True, "rollback": True}
    hook = pause("POST_PRODUCTION_TRAFFIC_SHIFT", minutes=2 if way == "timeout" else 600)
    with load(live.way.url) as came:
        arn = live.deploy("two", alarms=watched, lifecycleHooks=[hook])
        waiting, target = live.waits_at(arn, "POST_PRODUCTION_TRAFFIC_SHIFT"), live.described()["taskDefinition"]
        match way:
            case "hook":
                named = {"serviceDeploymentArn": arn, "hookId": waiting["hookId"]}
                live.ecs.continue_service_deployment(**named, action="ROLLBACK")
            case "stop":
                live.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
            case "alarm":
                cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
        end = live.ends(arn, seconds=120)
        waited(lambda: live.way.shares() == {"blue": 100, "green": 0})

    assert end["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.described()["taskDefinition"] == live.described()["deployments"][0]["taskDefinition"] != target
    assert end["rollback"]["serviceRevisionArn"] == end["sourceServiceRevisions"][0]["arn"]
    assert end["targetServiceRevision"]["runningTaskCount"] == 0
    assert set(came) <= {"200 one", "200 two"}
    assert end.get("alarms", {}).get("triggeredAlarmNames") == ([alarm] if way == "alarm" else [])
    assert httpx.get(live.way.url, trust_env=False).text == "one"


@pytest.mark.parametrize("kind", ["sick", pytest.param("crashing", marks=pytest.mark.long)])
def test_tasks_that_are_never_well_get_no_traffic_and_are_stopped_with_a_reason(live: EcsShop, kind: str) -> None:
    seconds = {"sick": 2, "crashing": 60}[kind]
    live.ecs.update_service(cluster=CLUSTER, service=live.way.name, healthCheckGracePeriodSeconds=seconds)
    arn = live.deploy("two", kind)

    def ended() -> list[dict[str, Any]]:
        by = next(one["id"] for one in live.described()["deployments"] if one["status"] == "PRIMARY")
        named = {"cluster": CLUSTER, "desiredStatus": "STOPPED", "startedBy": by}
        arns = live.ecs.list_tasks(**named)["taskArns"]
        tasks = live.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return [one for one in tasks if one["lastStatus"] == "STOPPED"]

    [first, *_] = waited(ended)
    now = live.look(arn)
    live.ecs.stop_service_deployment(serviceDeploymentArn=arn)

    reason = {"sick": "Task failed ELB health checks in ", "crashing": "Essential container in task exited"}[kind]
    assert reason in first["stoppedReason"]
    assert (now["status"], now["lifecycleStage"]) == ("IN_PROGRESS", "SCALE_UP")
    assert live.ends(arn)["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.way.shares() == {"blue": 100, "green": 0}


@pytest.mark.long
def test_a_deployment_that_another_one_takes_the_place_of_is_stopped(live: EcsShop) -> None:
    first = live.deploy("two", lifecycleHooks=[pause()])
    live.waits_at(first, "POST_TEST_TRAFFIC_SHIFT")

    second = live.deploy("three", lifecycleHooks=[])

    assert live.ends(first)["status"] == "STOPPED"
    assert live.ends(second)["status"] == "SUCCESSFUL"
    live.serves("three")
    listed = live.ecs.list_service_deployments(cluster=CLUSTER, service=live.way.name)["serviceDeployments"]
    assert [(one["serviceDeploymentArn"], one["status"]) for one in listed] == [
        (second, "SUCCESSFUL"),
        (first, "STOPPED"),
    ]


def test_what_cannot_be_is_refused_before_anything_starts(live: EcsShop) -> None:
    arn = live.deploy("two", lifecycleHooks=[pause()])
    hook = live.waits_at(arn, "POST_TEST_TRAFFIC_SHIFT")
    asked = {
        "strategy": lambda: live.deploy("x", strategy="MAGIC"),
        "multiple of 0.1": lambda: live.deploy("x", strategy="LINEAR", linearConfiguration={"stepPercent": 1.0}),
        "cannot be at": lambda: live.deploy("x", lifecycleHooks=[pause("PRODUCTION_TRAFFIC_SHIFT")]),
        "is not one of": lambda: live.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="other"),
        "values of stopType": lambda: live.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ABORT"),
    }

    for text, ask in asked.items():
        with pytest.raises(ClientError, match=text):
            ask()

    assert live.waits_at(arn, "POST_TEST_TRAFFIC_SHIFT") == hook
    live.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with pytest.raises(ClientError, match="ConflictException"):
        live.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"])
    live.ends(arn)


@pytest.mark.long
def test_killed_in_the_middle_of_a_deployment_it_goes_on_where_it_was(tmp_path):
    with own_platform(tmp_path / "home") as home:
        assert home.identity
        server = Server(home.root).start()
        tasks = Tasks(server).ready()
        shop = EcsShop(tasks, make_way(make_balancer(tasks), "shop"))
        shop.create("one")
        shop.serves("one")
        arn = shop.deploy("two", lifecycleHooks=[pause()])
        hook = shop.waits_at(arn, "POST_TEST_TRAFFIC_SHIFT")
        with load(shop.way.url) as came:
            server.stop(signal.SIGKILL)
            server.start()
            assert shop.waits_at(arn, "POST_TEST_TRAFFIC_SHIFT")["hookId"] == hook["hookId"]
            for stage in STAGES:
                shop.go_on(arn, stage)
            assert shop.ends(arn)["status"] == "SUCCESSFUL"
            waited(lambda: came["200 two"] > 0)
        assert set(came) <= {"200 one", "200 two"}
        server.stop()
