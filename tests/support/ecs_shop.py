"""One service of ECS behind a load balancer of a local AWS, which answers with a text: made, looked at, removed."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx

from tests.support.ecs import CLUSTER, Tasks
from tests.support.ecs_service import SERVER, Balancer, Way, waited


def make_balancer(tasks: Tasks) -> Balancer:
    """Return a new load balancer in two subnets."""
    subnets = tasks.client("ec2").describe_subnets()["Subnets"][:2]
    return Balancer(tasks.client, subnets[0]["VpcId"], [one["SubnetId"] for one in subnets])


class Shop:
    """The service; who deploys it is a class below this one."""

    CONTROLLER = "ECS"

    def __init__(self, tasks: Tasks, way: Way) -> None:
        self.tasks, self.way, self.ecs = tasks, way, tasks.ecs
        self.pair = self.pair_of("blue")

    def pair_of(self, colour: str) -> dict[str, Any]:
        """Return one of its target groups as a load balancer of the service."""
        return {"targetGroupArn": self.way.groups[colour], "containerName": "web", "containerPort": 8000}

    def define(self, text: str, kind: str = "good") -> str:
        """Register a definition whose tasks answer with `text`, and return its ARN."""
        command = ["python3", "-c", SERVER, kind, text]
        ports = [{"containerPort": 8000, "protocol": "tcp"}]
        more = {"image": "python:3.11-alpine", "command": command, "portMappings": ports, "stopTimeout": 2}
        return self.tasks.define({"name": "web", **more})

    def create(self, text: str, count: int = 1, colours: Sequence[str] = ("blue",)) -> dict[str, Any]:
        """Make the service, and return it as ECS tells it."""
        return self.ecs.create_service(
            cluster=CLUSTER,
            serviceName=self.way.name,
            taskDefinition=self.define(text),
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=self.tasks.network(),
            loadBalancers=[self.pair_of(one) for one in colours],
            healthCheckGracePeriodSeconds=60,
            deploymentController={"type": self.CONTROLLER},
        )["service"]

    def described(self) -> dict[str, Any]:
        """Return the service as ECS tells it now."""
        return self.ecs.describe_services(cluster=CLUSTER, services=[self.way.name])["services"][0]

    def serves(self, text: str) -> None:
        """Return once users get `text`."""

        def told() -> bool:
            with suppress(httpx.HTTPError):  # the load balancer may not know its listener yet
                return httpx.get(self.way.url, trust_env=False).text == text
            return False

        waited(told)

    def remove(self) -> None:
        """Return once neither the service nor a task nor its ways are there."""
        self.ecs.delete_service(cluster=CLUSTER, service=self.way.name, force=True)
        waited(lambda: not self.ecs.list_tasks(cluster=CLUSTER, serviceName=self.way.name)["taskArns"])
        self.way.remove()
