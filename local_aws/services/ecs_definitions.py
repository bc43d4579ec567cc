"""What RegisterTaskDefinition refuses, in AWS's words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.ecs.exceptions import ECSException

from local_aws.installation import current

Definition = Mapping[str, Any]
GB = 1024  # MiB
# CPU units and the MiB that go with them, for Linux:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
FARGATE: dict[int, Sequence[int]] = {
    256: (512, 1 * GB, 2 * GB),
    512: range(1 * GB, 4 * GB + 1, GB),
    1024: range(2 * GB, 8 * GB + 1, GB),
    2048: range(4 * GB, 16 * GB + 1, GB),
    4096: range(8 * GB, 30 * GB + 1, GB),
    8192: range(16 * GB, 60 * GB + 1, 4 * GB),
    16384: range(32 * GB, 120 * GB + 1, 8 * GB),
}
NO_EXECUTION_ROLE = "Fargate requires task definition to have execution role ARN to support {}."
UNTIL_THE_END = ("COMPLETE", "SUCCESS")


def refusal(message: str) -> ECSException:
    """Return the error of a request that cannot be done as it stands."""
    return ECSException("ClientException", message)


def units(value: str | None, unit: str) -> str | None:
    """Return cpu in CPU units, or memory in MiB: "1 vCPU" is 1024, "2 GB" is 2048; what is neither stays."""
    found = re.fullmatch(rf"(\d*\.?\d+)\s*{unit}", (value or "").strip(), re.IGNORECASE)
    return str(round(float(found[1]) * 1024)) if found else value


def check(given: Definition) -> None:
    """Raise what AWS refuses; cpu and memory are in units."""
    containers = given["containerDefinitions"]
    if not any(one.get("essential", True) for one in containers):
        raise refusal("Task definition must contain at least one essential container.")
    _check_names(containers, given.get("volumes") or [])
    for one in containers:
        _check_dependencies(one, {other["name"]: other for other in containers})
    if any(one.get("secrets") for one in containers) and not given.get("executionRoleArn"):
        raise refusal(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )
    if "FARGATE" in (given.get("requiresCompatibilities") or []):
        _check_fargate(given)


def _check_names(containers: Sequence[Definition], volumes: Sequence[Definition]) -> None:
    names = [one.get("name") for one in containers]
    for name in names:
        if names.count(name) > 1:
            raise refusal(f"Container name {name} is not unique")
    known = {one.get("name") for one in volumes}
    for one in containers:
        for mount in one.get("mountPoints", []):
            if mount.get("sourceVolume") not in known:
                raise refusal(f"Unknown volume '{mount.get('sourceVolume')}'.")


def _check_dependencies(container: Definition, others: Mapping[str, Definition]) -> None:
    """Refuse what can never come about.

    COMPLETE and SUCCESS: "This condition can't be set on an essential container."
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
    """
    for dependency in container.get("dependsOn", []):
        name, condition = dependency["containerName"], dependency["condition"]
        other = others.get(name)
        if other is None or name == container["name"]:
            raise refusal(f"Container '{container['name']}' depends on the unknown container '{name}'.")
        if condition in UNTIL_THE_END and other.get("essential", True):
            raise refusal(f"The {condition} condition can't be set on an essential container: '{name}'.")
        if condition == "HEALTHY" and not other.get("healthCheck"):
            raise refusal(f"The HEALTHY condition requires that container '{name}' has a health check.")
        if container["name"] in _all_before(name, others):
            raise refusal("Container dependencies contain a cycle.")


def _all_before(name: str, others: Mapping[str, Definition]) -> set[str]:
    """Return everything that a container waits for, directly or not."""
    found, open_ = set[str](), [name]
    while open_:
        for dependency in others.get(open_.pop(), {}).get("dependsOn", []):
            if dependency["containerName"] not in found:
                found.add(dependency["containerName"])
                open_.append(dependency["containerName"])
    return found


def _check_fargate(given: Definition) -> None:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html, what Fargate needs."""
    if given.get("networkMode", "awsvpc") != "awsvpc":
        raise refusal("Fargate only supports network mode 'awsvpc'.")
    for key in ("cpu", "memory"):
        if not given.get(key):
            raise refusal(f"Fargate requires that '{key}' be defined at the task level.")
        if not str(given[key]).isdigit():
            raise refusal(f"Invalid '{key}' setting for task.")
    cpu, memory = int(given["cpu"]), int(given["memory"])
    if cpu not in FARGATE:
        raise refusal("Invalid 'cpu' setting for task.")
    if memory not in FARGATE[cpu]:
        raise refusal(f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory.")
    for one in given["containerDefinitions"]:
        _check_on_fargate(one, bool(given.get("executionRoleArn")))
    if sum(one.get("memory") or one.get("memoryReservation") or 0 for one in given["containerDefinitions"]) > memory:
        raise refusal("Invalid setting for containers: their memory is more than the memory of the task.")
    for volume in given.get("volumes") or []:
        if volume.get("host", {}).get("sourcePath"):
            raise refusal("host.sourcePath should not be set for volumes in Fargate.")


def _check_on_fargate(container: Definition, has_role: bool) -> None:
    logging = container.get("logConfiguration") or {}
    of_ecr = ".dkr.ecr." in container["image"] or container["image"].startswith(f"{current().address}/")
    if of_ecr and not has_role:
        raise refusal(NO_EXECUTION_ROLE.format("ECR images"))
    if logging.get("logDriver") == "awslogs":
        options = logging.get("options") or {}
        if missing := [
            f"awslogs-{key}" for key in ("group", "region", "stream-prefix") if not options.get(f"awslogs-{key}")
        ]:
            raise refusal(f"Log driver awslogs requires options: {', '.join(missing)}")
        if not has_role:
            raise refusal(NO_EXECUTION_ROLE.format("log driver awslogs"))
    if container.get("stopTimeout", 0) > 120:
        raise refusal("The max stop timeout value is 120 seconds.")
    if container.get("privileged"):
        raise refusal("Fargate does not support privileged containers.")
