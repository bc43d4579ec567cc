"""The record of an ECS task: what was asked for, and what its agent told of it since."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from moto.ecs.models import TaskDefinition
from moto.moto_api._internal import mock_random

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
STATES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)
STOPPING = STATES.index("DEACTIVATING")
ESSENTIAL_EXITED = "Essential container in task exited"
# How the agent calls the container that holds a task's network, as Amazon's own agent does.
PAUSE = "~internal~ecs~pause"
HEALTH = "health"
BY_SERVICE = "ecs-svc/"  # with this begins what the task of a service is started by


class Task:
    """One task. `told` is its description in the API's own words, which is replaced as a whole and never changed."""

    def __init__(self, told: dict[str, Any], definition: TaskDefinition, client_token: str, request: str) -> None:
        self.told, self.definition = told, definition
        self.client_token, self.request = client_token, request  # by which a request that comes again is known
        self.region, self.account = str(told["taskArn"]).split(":")[3:5]

    @property
    def task_arn(self) -> str:
        """Its ARN."""
        return str(self.told["taskArn"])

    @property
    def id(self) -> str:
        """The end of its ARN."""
        return self.task_arn.rpartition("/")[2]

    @property
    def is_stopped(self) -> bool:
        """Whether it is over."""
        return bool(self.told["lastStatus"] == "STOPPED")

    @property
    def shall_stop(self) -> bool:
        """Whether it is to end."""
        return bool(self.told["desiredStatus"] == "STOPPED")

    @property
    def tags(self) -> list[dict[str, str]]:
        """Its tags, as moto reads and writes them."""
        return list(self.told["tags"])

    @tags.setter
    def tags(self, tags: list[dict[str, str]]) -> None:
        self.told = {**self.told, "tags": tags}

    def containers(self) -> list[dict[str, Any]]:
        """Return the definitions of its containers with what the request overrides."""
        overrides = {one["name"]: one for one in self.told["overrides"].get("containerOverrides", [])}
        return [_overridden(one, overrides.get(one["name"], {})) for one in self.definition.container_definitions]

    def stop(self, reason: str, code: str) -> None:
        """Let it end; whoever said so first is named."""
        if not self.shall_stop:
            now = datetime.now(UTC)
            self._change({"desiredStatus": "STOPPED", "stoppedReason": reason, "stopCode": code, "stoppingAt": now})

    def advance(self, status: str, reason: str, moments: Mapping[str, Any]) -> None:
        """Take over what its agent says of it as a whole; nothing goes back."""
        changed = {name: value for name, value in moments.items() if value is not None}
        if STATES.index(status) >= STOPPING:
            code = "EssentialContainerExited" if reason == ESSENTIAL_EXITED else "TaskFailedToStart"
            self.stop(reason, code)
        if STATES.index(status) > STATES.index(self.told["lastStatus"]):
            now = datetime.now(UTC)
            changed["lastStatus"] = status
            if status == "RUNNING":
                changed |= {"startedAt": now, "connectivity": "CONNECTED", "connectivityAt": now}
            if status == "STOPPED":
                changed |= {"stoppedAt": now, "executionStoppedAt": self.told.get("executionStoppedAt", now)}
        self._change(changed)

    def take(self, change: Mapping[str, Any]) -> None:
        """Take over what its agent says of one container; what is left out stays, and an exit code is said once."""
        name = change["containerName"]
        if name == PAUSE:
            self._attach(str(change["networkBindings"][0]["bindIP"]))
            return
        containers = deepcopy(self.told["containers"])
        for one in containers:
            if one["name"] == name and one["lastStatus"] != "STOPPED":
                one |= {
                    key: change[key]
                    for key in ("exitCode", "reason", "runtimeId", "imageDigest")
                    if change.get(key) is not None
                }
                one["lastStatus"] = change.get("status") or one["lastStatus"]
        self._change({"containers": containers})

    def take_health(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Take over how containers are; the task is as its essential containers are.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html, healthStatus
        """
        health = {one["containerName"]: one["status"] for one in told if one["managedAgentName"] == HEALTH}
        containers = [
            {**one, "healthStatus": health.get(one["name"], one["healthStatus"])} for one in self.told["containers"]
        ]
        essential = {one["name"] for one in self.definition.container_definitions if one.get("essential", True)}
        states = {one["healthStatus"] for one in containers if one["name"] in essential}
        whole = next((one for one in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if one in states), "UNKNOWN")
        self._change({"containers": containers, "healthStatus": whole})

    def _attach(self, address: str) -> None:
        """Give the task its address: it and its containers, which share it, are reached there."""
        attachments = deepcopy(self.told["attachments"])
        for one in attachments:
            one["status"] = "ATTACHED"
            one["details"] = [detail for detail in one["details"] if detail["name"] != "privateIPv4Address"]
            one["details"].append({"name": "privateIPv4Address", "value": address})
        interfaces = [{"attachmentId": one["id"], "privateIpv4Address": address} for one in attachments]
        containers = [{**one, "networkInterfaces": interfaces} for one in self.told["containers"]]
        self._change({"attachments": attachments, "containers": containers})

    def _change(self, changed: Mapping[str, Any]) -> None:
        if changed:
            self.told = {**self.told, **changed, "version": self.told["version"] + 1}


def _overridden(definition: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with command, sizes and variables of the request: "You can add new environment variables […]
    or you can override the existing environment variables from the Docker image or the task definition."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html
    """
    merged = {**definition, **{key: value for key, value in override.items() if value is not None}}
    variables = {one["name"]: one.get("value", "") for one in definition.get("environment", [])}
    variables |= {one["name"]: one.get("value", "") for one in override.get("environment") or []}
    merged["environment"] = [{"name": name, "value": value} for name, value in variables.items()]
    return merged


def new_attachment(subnet: str) -> dict[str, Any]:
    """Return a network interface that has no address yet."""
    mac = ":".join(["02", *(mock_random.get_random_hex(2) for _ in range(5))])
    details = {"subnetId": subnet, "networkInterfaceId": f"eni-{mock_random.get_random_hex(17)}", "macAddress": mac}
    return {
        "id": str(mock_random.uuid4()),
        "type": "ElasticNetworkInterface",
        "status": "PRECREATED",
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }
