"""A group of CodeDeploy for a service, and the relay that its hooks call, as infra/aws makes them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.aws.app_spec import app_spec
from tests.architecture.sources import ROOT
from tests.support.ecs import CLUSTER, Tasks
from tests.support.ecs_service import Way
from tests.support.ecs_shop import Shop

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/codedeploy"
EVENTS = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
RELAY = ROOT / "infra" / "aws" / "relay" / "relay.zip"


@dataclass(frozen=True)
class Relay:
    """A function that hooks call, and the queue on which it says so."""

    client: Client
    function: str
    queue: str

    def told(self) -> list[dict[str, str]]:
        """Take what came, and return it."""
        sqs = self.client("sqs")
        came = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for one in came:
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(one["Body"]) for one in came]


def make_relay(client: Client, name: str, package: bytes | None = None) -> Relay:
    """Make the relay; `package` is another program for it."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    function = client("lambda").create_function(
        FunctionName=f"CodeDeployHook_{name}",
        Runtime="python3.13",
        Role=role,
        Handler="relay.handler",
        Code={"ZipFile": package or RELAY.read_bytes()},
        Environment={"Variables": {"QUEUE_URL": queue}},
    )
    return Relay(client, function["FunctionArn"], queue)


def make_group(client: Client, cluster: str, way: Way, application: str, *, kept_minutes: int = 60) -> None:
    """Make a group that deploys a service, in an application that is made as well."""
    codedeploy, elb = client("codedeploy"), client("elbv2")
    if application not in codedeploy.list_applications()["applications"]:
        codedeploy.create_application(applicationName=application, computePlatform="ECS")
    groups = elb.describe_target_groups(TargetGroupArns=list(way.groups.values()))["TargetGroups"]
    pair = {
        "targetGroups": [{"name": one["TargetGroupName"]} for one in groups],
        "prodTrafficRoute": {"listenerArns": [way.listeners["production"]]},
        "testTrafficRoute": {"listenerArns": [way.listeners["test"]]},
    }
    codedeploy.create_deployment_group(
        applicationName=application,
        deploymentGroupName=way.name,
        serviceRoleArn=ROLE,
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        autoRollbackConfiguration={"enabled": True, "events": EVENTS},
        blueGreenDeploymentConfiguration={
            "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60},
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": kept_minutes,
            },
        },
        ecsServices=[{"clusterName": cluster, "serviceName": way.name}],
        loadBalancerInfo={"targetGroupPairInfoList": [pair]},
    )


def revision(definition: str, hooks: dict[str, str]) -> dict[str, Any]:
    """Return what CreateDeployment takes for a definition."""
    content = app_spec(definition, "web", 8000, hooks)
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}


class CodeDeployShop(Shop):
    """A service that CodeDeploy deploys, with its group."""

    CONTROLLER = "CODE_DEPLOY"

    def __init__(self, tasks: Tasks, way: Way, application: str) -> None:
        super().__init__(tasks, way)
        self.codedeploy = tasks.client("codedeploy")
        self.named = {"applicationName": application, "deploymentGroupName": way.name}

    def create(self, text: str, count: int = 1, colours: Sequence[str] = ("blue",)) -> dict[str, Any]:
        """Make service and group, and return the service as ECS tells it."""
        made = super().create(text, count, colours)
        make_group(self.tasks.client, CLUSTER, self.way, self.named["applicationName"])
        return made

    def remove(self) -> None:
        """Return once neither is there."""
        super().remove()
        self.codedeploy.delete_deployment_group(**self.named)
