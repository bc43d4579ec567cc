"""Tasks on a local AWS, said in short."""

from dataclasses import dataclass, field
from typing import Any

from delivery.waiting import until
from tests.support.local_aws import REGION, Server

CLUSTER, GROUP = "test", "/test"
ROLE = "arn:aws:iam::123456789012:role/execution"
SECONDS, EVERY = 60, 0.1
# Nobody starts a task as long as this is there.
HELD = {"service": "ecs-agent", "operation": "place .*", "kind": "hang", "seconds": 3600, "times": 1000}
AWSLOGS = {"awslogs-group": GROUP, "awslogs-region": REGION, "awslogs-stream-prefix": "job"}


@dataclass
class Tasks:
    """A cluster, a log group, and what is done with tasks in them."""

    server: Server
    named: int = 0
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.clients.setdefault(service, self.server.client(service))

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    def ready(self) -> "Tasks":
        self.ecs.create_cluster(clusterName=CLUSTER)
        self.client("logs").create_log_group(logGroupName=GROUP)
        return self

    def network(self) -> dict[str, Any]:
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        return {"awsvpcConfiguration": {"subnets": [subnet]}}

    def define(self, *containers: dict[str, Any], **more: Any) -> str:
        """Register a definition and return its ARN; a container logs unless it says otherwise."""
        self.named += 1
        given = {"family": f"task-{self.named}", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc"}
        sizes = {"cpu": "256", "memory": "512", "executionRoleArn": ROLE}
        told = self.ecs.register_task_definition(
            **{**given, **sizes, **more}, containerDefinitions=[container(**one) for one in containers]
        )
        return told["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition: str, **more: Any) -> str:
        """Run one task and return its ARN."""
        return self.request(definition, **more)["tasks"][0]["taskArn"]

    def request(self, definition: str, **more: Any) -> dict[str, Any]:
        asked = {"cluster": CLUSTER, "launchType": "FARGATE", "networkConfiguration": self.network()}
        return self.ecs.run_task(taskDefinition=definition, **{**asked, **more})

    def describe(self, arn: str, **more: Any) -> dict[str, Any]:
        return self.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn], **more)["tasks"][0]

    def when(self, arn: str, condition: Any) -> dict[str, Any]:
        """Return the task as soon as it is so."""

        def look() -> dict[str, Any] | None:
            task = self.describe(arn)
            return task if condition(task) else None

        found = until(look, seconds=SECONDS, every=EVERY)
        assert found, self.describe(arn)
        return found

    def stopped(self, arn: str) -> dict[str, Any]:
        return self.when(arn, lambda task: task["lastStatus"] == "STOPPED")

    def outcome(self, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Define, run, and return the task when it has stopped."""
        return self.stopped(self.run(self.define(*containers, **more)))

    def lines(self, arn: str, name: str = "main", group: str = GROUP) -> list[str]:
        """Return all lines of a container, page by page."""
        asked = {"logGroupName": group, "logStreamName": f"job/{name}/{arn.rpartition('/')[2]}", "startFromHead": True}
        found, token = list[str](), None
        while True:
            page = self.client("logs").get_log_events(**asked, **({"nextToken": token} if token else {}))
            found += [one["message"] for one in page["events"]]
            if page["nextForwardToken"] == token:
                return found
            token = page["nextForwardToken"]


def container(
    name: str = "main", script: str = "", options: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a definition whose shell runs `script`."""
    told = {"name": name, "image": "busybox", **({"command": ["sh", "-c", script]} if script else {})}
    log = {"logConfiguration": {"logDriver": "awslogs", "options": {**AWSLOGS, **(options or {})}}}
    return {**told, **log, **more}


def of(task: dict[str, Any], name: str = "main") -> dict[str, Any]:
    """Return one of a task's containers."""
    return next(one for one in task["containers"] if one["name"] == name)


def address(task: dict[str, Any]) -> str:
    """Return the task's address."""
    details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
    return details["privateIPv4Address"]
