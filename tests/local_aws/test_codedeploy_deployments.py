"""CodeDeploy's deployments of services of ECS, under requests of users.

What AWS says stands with the operations in local_aws/services/codedeploy_deployments.py and codedeploy_stages.py.
"""

import io
import signal
import zipfile
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from delivery.home import Home
from local_aws.services.codedeploy_stages import OVER
from tests.support.codedeploy import CodeDeployShop, Relay, make_relay, revision
from tests.support.ecs import CLUSTER, Tasks
from tests.support.ecs_service import Balancer, load, make_way, waited
from tests.support.ecs_shop import make_balancer
from tests.support.local_aws import Server
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-tasks")]
APPLICATION = "shops"


class Deployed(CodeDeployShop):
    """A service whose deployments are looked at."""

    def deploy(self, text: str, kind: str = "good", config: str = "ECSAllAtOnce", **hooks: str) -> str:
        return self.codedeploy.create_deployment(
            **self.named,
            revision=revision(self.define(text, kind), hooks),
            deploymentConfigName=f"CodeDeployDefault.{config}",
        )["deploymentId"]

    def look(self, name: str) -> dict[str, Any]:
        return self.codedeploy.get_deployment(deploymentId=name)["deploymentInfo"]

    def target(self, name: str) -> dict[str, Any]:
        [told] = self.codedeploy.batch_get_deployment_targets(
            deploymentId=name, targetIds=[f"{CLUSTER}:{self.way.name}"]
        )["deploymentTargets"]
        return told["ecsTarget"]

    def events(self, name: str) -> dict[str, str]:
        return {one["lifecycleEventName"]: one["status"] for one in self.target(name)["lifecycleEvents"]}

    def go_on(self, name: str, wait: str = "READY_WAIT") -> None:
        if wait == "READY_WAIT":
            waited(lambda: self.look(name)["status"] == "Ready")
        else:
            waited(lambda: self.look(name)["instanceTerminationWaitTimeStarted"])
        self.codedeploy.continue_deployment(deploymentId=name, deploymentWaitType=wait)

    def ends(self, name: str, seconds: float = 60) -> dict[str, Any]:
        return waited(lambda: now if (now := self.look(name))["status"] in OVER else None, seconds)

    def is_back(self, name: str) -> dict[str, Any]:
        """Return the deployment by which one went back, once it is over."""
        back = self.look(name)["rollbackInfo"]["rollbackDeploymentId"]
        return self.ends(back)


@pytest.fixture(scope="module")
def balancer(running: Tasks):
    Home(running.server.home).identity  # noqa: B018  # so that there is something on Docker
    made = make_balancer(running)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def relay(running: Tasks) -> Relay:
    return make_relay(running.client, "relay")


@pytest.fixture
def live(running: Tasks, balancer: Balancer, request: pytest.FixtureRequest):
    made = Deployed(running, make_way(balancer, f"cd-{abs(hash(request.node.name)) % 10**8}"), APPLICATION)
    made.create("one")
    made.serves("one")
    yield made
    made.remove()


def test_a_deployment_waits_moves_traffic_in_its_shares_and_keeps_the_old_tasks_until_it_may_go(
    live: Deployed, relay: Relay
) -> None:
    with load(live.way.url) as came:
        name = live.deploy("two", config="ECSCanary10Percent5Minutes", AfterAllowTraffic=relay.function)
        waited(lambda: live.look(name)["status"] == "Ready")
        waited(lambda: httpx.get(live.way.test_url, trust_env=False).text == "two")
        before = live.way.shares()
        with pytest.raises(ClientError, match="DeploymentLimitExceededException"):
            live.deploy("three")
        live.go_on(name)
        waited(lambda: live.way.shares() == {"blue": 90, "green": 10})
        [told] = waited(relay.told)
        at_hook = live.events(name)
        live.codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=told["deployment"], lifecycleEventHookExecutionId=told["execution"], status="Succeeded"
        )
        waited(lambda: live.look(name)["instanceTerminationWaitTimeStarted"])
        both = live.described()
        live.go_on(name, "TERMINATION_WAIT")
        end = live.ends(name)

    after = live.described()
    assert before == {"blue": 100, "green": 0}
    assert told["deployment"] == name
    assert at_hook["AllowTraffic"] == "Succeeded"
    assert at_hook["AfterAllowTraffic"] == "InProgress"
    assert {one["status"]: one.get("externalId") for one in both["taskSets"]} == {"PRIMARY": None, "ACTIVE": name}
    assert end["status"] == "Succeeded"
    assert [(one["externalId"], one["status"]) for one in after["taskSets"]] == [(name, "PRIMARY")]
    assert after["taskDefinition"] == after["taskSets"][0]["taskDefinition"]
    assert live.way.shares() == live.way.shares("test") == {"blue": 0, "green": 100}
    assert set(came) == {"200 one", "200 two"}


@pytest.mark.parametrize(
    "way", ["stop", *(pytest.param(one, marks=pytest.mark.long) for one in ("hook", "alarm", "broken"))]
)
def test_a_deployment_goes_back_and_nobody_loses_a_request(live: Deployed, relay: Relay, way: str) -> None:
    cloudwatch, alarm = live.tasks.client("cloudwatch"), f"{live.way.name}-5xx"
    metric = {"Namespace": "X", "MetricName": "X", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum"}
    cloudwatch.put_metric_alarm(AlarmName=alarm, ComparisonOperator="GreaterThanThreshold", Threshold=1, **metric)
    watched = {"enabled": True, "alarms": [{"name": alarm}]}
    live.codedeploy.update_deployment_group(
        applicationName=APPLICATION, currentDeploymentGroupName=live.way.name, alarmConfiguration=watched
    )
    function = broken(live) if way == "broken" else relay.function
    with load(live.way.url) as came:
        name = live.deploy("two", AfterAllowTraffic=function)
        live.go_on(name)
        match way:
            case "hook":
                [told] = waited(relay.told)
                live.codedeploy.put_lifecycle_event_hook_execution_status(
                    deploymentId=name, lifecycleEventHookExecutionId=told["execution"], status="Failed"
                )
            case "stop":
                waited(relay.told)
                live.codedeploy.stop_deployment(deploymentId=name, autoRollbackEnabled=True)
            case "alarm":
                waited(relay.told)
                cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
        end = live.ends(name)
        back = live.is_back(name)

    code = {"stop": "MANUAL_STOP", "alarm": "ALARM_ACTIVE"}.get(way, "HOOK_EXECUTION_FAILURE")
    assert end["errorInformation"]["code"] == code
    assert (back["creator"], back["status"]) == ("codeDeployRollback", "Succeeded")
    assert live.way.shares() == {"blue": 100, "green": 0}
    assert [one["status"] for one in live.described()["taskSets"]] == ["PRIMARY"]
    assert {one.split()[0] for one in came} == {"200"}
    assert httpx.get(live.way.url, trust_env=False).text == "one"


def broken(live: Deployed) -> str:
    """Return a hook's function that fails."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as into:
        into.writestr("relay.py", "def handler(event, context): raise RuntimeError('no luck')")
    return make_relay(live.tasks.client, "broken", package.getvalue()).function


@pytest.mark.long
def test_tasks_that_are_never_well_get_no_traffic(live: Deployed) -> None:
    with load(live.way.url) as came:
        name = live.deploy("two", "sick")
        waited(lambda: len(live.tasks.ecs.list_tasks(cluster=CLUSTER, serviceName=live.way.name)["taskArns"]) > 1)
        live.codedeploy.stop_deployment(deploymentId=name, autoRollbackEnabled=True)
        live.is_back(name)

    assert live.events(name) == {"BeforeInstall": "Failed"} or live.events(name)["Install"] == "Failed"
    assert set(came) == {"200 one"}


def test_what_cannot_be_is_refused_before_anything_starts(live: Deployed) -> None:
    ecs, codedeploy = live.tasks.ecs, live.codedeploy
    bad = {"revisionType": "AppSpecContent", "appSpecContent": {"content": "Resources: []"}}
    asked = {
        "InvalidRevisionException": lambda: codedeploy.create_deployment(**live.named, revision=bad),
        "DeploymentConfigDoesNotExistException": lambda: live.deploy("x", config="Magic"),
        "DeploymentDoesNotExistException": lambda: live.look("d-UNKNOWN00"),
        "CODE_DEPLOY deployment controller": lambda: ecs.update_service(
            cluster=CLUSTER, service=live.way.name, taskDefinition=live.define("x")
        ),
        "a part is missing, or unknown": lambda: live.deploy("x", AllowTraffic="f"),
    }

    for text, ask in asked.items():
        with pytest.raises(ClientError, match=text):
            ask()

    assert codedeploy.list_deployments(**live.named)["deployments"] == []


@pytest.mark.long
def test_killed_in_the_middle_of_a_deployment_it_goes_on_where_it_was(tmp_path):
    with own_platform(tmp_path / "home") as home:
        assert home.identity
        server = Server(home.root).start()
        tasks = Tasks(server).ready()
        shop = Deployed(tasks, make_way(make_balancer(tasks), "shop"), APPLICATION)
        shop.create("one")
        shop.serves("one")
        relay = make_relay(tasks.client, "relay")
        name = shop.deploy("two", AfterAllowTraffic=relay.function)
        waited(lambda: shop.look(name)["status"] == "Ready")
        with load(shop.way.url) as came:
            server.stop(signal.SIGKILL)
            server.start()
            shop.go_on(name)
            told = waited(relay.told)[0]
            shop.codedeploy.put_lifecycle_event_hook_execution_status(
                deploymentId=name, lifecycleEventHookExecutionId=told["execution"], status="Succeeded"
            )
            shop.go_on(name, "TERMINATION_WAIT")
            assert shop.ends(name)["status"] == "Succeeded"
            waited(lambda: came["200 two"] > 0)
        assert set(came) <= {"200 one", "200 two"}
        server.stop()
