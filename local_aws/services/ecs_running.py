"""RunTask: from the request to the records of tasks, or to what is wrong with it."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import ECSException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, TaskDefinition
from moto.moto_api._internal import mock_random

from local_aws.services.ecs_definitions import refusal
from local_aws.services.ecs_tasks import BY_SERVICE, Task, new_attachment

Request = Mapping[str, Any]
MISSING = "MISSING"
AT_ONCE, OVERRIDES = 10, 8192
# What would be left out in silence otherwise.
NOT_HERE = (
    "environmentFiles",
    "repositoryCredentials",
    "firelensConfiguration",
    "links",
    "volumesFrom",
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
)
ON_FARGATE = ("FARGATE", "FARGATE_SPOT")
PLATFORM = {"platformVersion": "1.4.0", "platformFamily": "Linux", "ephemeralStorage": {"sizeInGiB": 20}}


def invalid(message: str) -> ECSException:
    """Return the error of a parameter that is not what it has to be."""
    return ECSException("InvalidParameterException", message)


def cluster_of(backend: EC2ContainerServiceBackend, name: str | None) -> Cluster:
    """Return an active cluster; "If you do not specify a cluster, the default cluster is assumed."."""
    cluster = backend.clusters.get((name or "default").rpartition("/")[2])
    if cluster is None:
        raise ECSException("ClusterNotFoundException", "Cluster not found.")
    if cluster.status == "INACTIVE":
        raise ECSException("ClusterNotFoundException", "The referenced cluster was inactive.")
    return cluster


def find_task(backend: EC2ContainerServiceBackend, cluster: str | None, name: str) -> Task:
    """Return the task of an ARN, or the end of one."""
    for arn, task in backend.tasks.get(cluster_of(backend, cluster).name, {}).items():
        if name in (arn, arn.rpartition("/")[2]):
            return task  # type: ignore[return-value]  # ours, in moto's place
    raise invalid("The referenced task was not found.")


def arn_of(cluster: Cluster, name: str) -> str:
    """Return the ARN of a task that is named by it, or by its end."""
    return name if name.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':task/')}/{name}"


def count_tasks(backend: EC2ContainerServiceBackend, cluster: str) -> None:
    """Let a cluster say how many of its tasks run and how many are about to."""
    found = cluster_of(backend, cluster)
    states = [one.told["lastStatus"] for one in backend.tasks.get(found.name, {}).values()]  # type: ignore[attr-defined]
    found.running_tasks_count = states.count("RUNNING")
    found.pending_tasks_count = states.count("PENDING") + states.count("PROVISIONING")


def run(backend: EC2ContainerServiceBackend, given: Request) -> list[Task]:
    """Return new tasks, or those that the same request with its `clientToken` made before."""
    cluster = cluster_of(backend, given.get("cluster"))
    tasks: dict[str, Any] = backend.tasks.setdefault(cluster.name, {})
    token, request = given.get("clientToken") or "", json.dumps(given, sort_keys=True, default=str)
    if before := [one for one in tasks.values() if token and one.client_token == token]:
        if before[0].request != request:
            raise _conflict([one.task_arn for one in before])
        return before
    by_service = str(given.get("startedBy", "")).startswith(BY_SERVICE)
    definition = _definition_of(backend, given["taskDefinition"], even_inactive=by_service)
    _check(given, definition)
    placed = {**_placement(backend, cluster, given, definition), **_network(backend, given, definition)}
    made = []
    for _ in range(given.get("count", 1)):
        told = _described(cluster, given, definition) | placed
        if told.get("attachments"):
            told["attachments"] = [new_attachment(told["attachments"][0])]
        made.append(Task(told, definition, token, request))
        tasks[made[-1].task_arn] = made[-1]
    count_tasks(backend, cluster.name)
    return made


def _conflict(arns: list[str]) -> ECSException:
    """Return the error of a token that comes with another request: "The resourceIds are the existing task ARNs which
    are already associated with the clientToken."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ConflictException.html
    """
    error = ECSException(
        "ConflictException", "The provided clientToken is already in use with a different RunTask request."
    )
    error.resourceIds = arns  # type: ignore[attr-defined]  # moto answers with what the model names
    return error


def _definition_of(backend: EC2ContainerServiceBackend, name: str, *, even_inactive: bool) -> TaskDefinition:
    """Return it: "If a revision isn't specified, the latest ACTIVE revision is used.".

    A service goes on with one that was deregistered: "Existing services that reference an INACTIVE task definition can
    still scale up or down by modifying the service's desired count."
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html
    """
    family, _, revision = name.rpartition("/")[2].partition(":")
    kept = backend.task_definitions.get(family, {})
    active = [number for number, one in kept.items() if one.status == "ACTIVE"]
    is_known = revision.isdigit() and int(revision) in kept
    if is_known and even_inactive:
        return kept[int(revision)]
    if is_known and int(revision) not in active:
        raise refusal("TaskDefinition is inactive")
    if (revision and not is_known) or not active:
        raise refusal("TaskDefinition not found.")
    return kept[int(revision) if revision else max(active)]


def _check(given: Request, definition: TaskDefinition) -> None:
    used = {key for one in definition.container_definitions for key in NOT_HERE if one.get(key)}
    used |= {key for one in definition.volumes for key in NOT_HERE if one.get(key)}
    if used:
        raise ECSException("UnsupportedFeatureException", f"this local AWS does not have {', '.join(sorted(used))}")
    if not 1 <= given.get("count", 1) <= AT_ONCE:
        raise invalid(f"Number of tasks must be between 1 and {AT_ONCE}.")
    if given.get("propagateTags") == "SERVICE":
        raise invalid("Tags can only be propagated from a service when the service starts the task.")
    overrides = given.get("overrides") or {}
    names = {one["name"] for one in definition.container_definitions}
    for one in overrides.get("containerOverrides", []):
        if one.get("name") not in names:
            raise invalid(f"Override for container named {one.get('name')} is not a container in the TaskDefinition.")
    if len(json.dumps(overrides, separators=(",", ":"))) > OVERRIDES:
        raise invalid(f"Container Overrides length must be at most {OVERRIDES}")


def _placement(
    backend: EC2ContainerServiceBackend, cluster: Cluster, given: Request, definition: TaskDefinition
) -> dict[str, Any]:
    """Return where it runs: as is said, else as the cluster's default strategy says, else on an instance."""
    kind, strategy = given.get("launchType"), given.get("capacityProviderStrategy")
    if kind and strategy:
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if not kind:
        strategy = strategy or cluster.default_capacity_provider_strategy
    provider = max(strategy, key=lambda one: one.get("weight", 0))["capacityProvider"] if strategy else None
    kind = kind or ("FARGATE" if provider in ON_FARGATE else "EC2")
    found = {"launchType": kind} | ({"capacityProviderName": provider} if provider else {})
    if kind == "FARGATE":
        if "FARGATE" not in definition.compatibilities:
            raise invalid("Task definition does not support launch_type FARGATE.")
        asked = (
            {"platformVersion": given["platformVersion"]} if given.get("platformVersion", "LATEST") != "LATEST" else {}
        )
        return {**found, **PLATFORM, **asked}
    instances = list(backend.container_instances.get(cluster.name, {}).values())
    if not instances:
        raise invalid("No Container Instances were found in your cluster.")
    return {**found, "containerInstanceArn": instances[0].container_instance_arn}


def _network(backend: EC2ContainerServiceBackend, given: Request, definition: TaskDefinition) -> dict[str, Any]:
    """Return the subnet of a task that has an address of its own; any subnet that there is will do."""
    configuration = (given.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if definition.network_mode != "awsvpc":
        if configuration:
            raise invalid("Network Configuration is not valid for the given networkMode of this task definition.")
        return {"attachments": []}
    if not configuration:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if not configuration.get("subnets"):
        raise invalid("subnets can not be empty.")
    try:
        subnets = [ec2.get_subnet(one) for one in configuration["subnets"]]
    except EC2ClientError as error:
        named = ", ".join(configuration["subnets"])
        said = f"{error.message} (ErrorCode: {error.code})"
        raise invalid(f"Error retrieving subnet information for [{named}]: {said}") from error
    for one in configuration.get("securityGroups") or []:
        if ec2.get_security_group_from_id(one) is None:
            raise invalid(
                f"Error retrieving security group information for [{one}]: "
                f"The security group '{one}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )
    return {"availabilityZone": subnets[0].availability_zone, "attachments": [subnets[0].id]}


def _described(cluster: Cluster, given: Request, definition: TaskDefinition) -> dict[str, Any]:
    overrides = given.get("overrides") or {}
    arn = arn_of(cluster, mock_random.get_random_hex(32))
    tags = {one["key"]: one.get("value", "") for one in given.get("tags") or []}
    if given.get("propagateTags") == "TASK_DEFINITION":
        tags = {one["key"]: one.get("value", "") for one in definition.tags} | tags
    if given.get("enableECSManagedTags"):
        tags["aws:ecs:clusterName"] = cluster.name
    machine = "arm64" if platform.machine() == "aarch64" else "x86_64"
    return {
        "taskArn": arn,
        "clusterArn": cluster.arn,
        "taskDefinitionArn": definition.arn,
        "group": given.get("group") or f"family:{definition.family}",
        "startedBy": given.get("startedBy"),
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "cpu": overrides.get("cpu") or definition.cpu,
        "memory": overrides.get("memory") or definition.memory,
        "enableExecuteCommand": bool(given.get("enableExecuteCommand")),
        "attributes": [{"name": "ecs.cpu-architecture", "value": machine}],
        "containers": [_container(arn, one) for one in definition.container_definitions],
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "healthStatus": "UNKNOWN",
        "createdAt": datetime.now(UTC),
        "version": 1,
    }


def _container(task: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    sizes = {key: str(definition[key]) for key in ("memory", "memoryReservation") if definition.get(key)}
    return {
        "containerArn": f"{task.replace(':task/', ':container/')}/{mock_random.uuid4()}",
        "taskArn": task,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": "PENDING",
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
        "cpu": str(definition.get("cpu") or 0),
        **sizes,
    }
