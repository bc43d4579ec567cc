"""The definition of a release's tasks, made from the one that a service runs: what a team added to it stays."""

from collections.abc import Mapping
from typing import Any

from delivery.aws.service_definition import MOST_STOP_SECONDS
from delivery.aws.task_definition import pairs
from delivery.errors import Misconfigured
from delivery.spec.fargate import MIB, TaskSize, smallest_task
from delivery.spec.parts import memory_bytes
from delivery.spec.services import Service

# What ECS says of a definition and does not take: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/
# API_TaskDefinition.html beside API_RegisterTaskDefinition.html
TOLD = (
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
)


def main_container(base: Mapping[str, Any], service: str, container: str) -> str:
    """Return the container of a definition that a release changes.

    It is the one the load balancer reaches, else the one called as the service, else the only one. Raises
    Misconfigured when there is none.
    """
    names = [str(one["name"]) for one in base["containerDefinitions"]]
    found = next((name for name in (container, service) if name in names), names[0] if len(names) == 1 else None)
    if found is None:
        arn = base["taskDefinitionArn"]
        raise Misconfigured(f"task definition {arn}", f"no container {container or service}", ", ".join(names))
    return found


def derived_definition(
    base: Mapping[str, Any],
    main: str,
    file: Service,
    image: str,
    *,
    where: str,
    family: str,
    env: Mapping[str, str],
    references: Mapping[str, str],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """Return what RegisterTaskDefinition takes: `base` with the image, variables, secrets and sizes of a release.

    A size that headway.yaml does not say is the one there was. Raises Misconfigured for a size that Fargate lacks.
    """
    memory = memory_bytes(file.memory) if file.memory else None
    size = TaskSize(int(base["cpu"]), int(base["memory"]))
    if file.cpus or memory:
        asked = smallest_task(file.cpus, memory)
        if asked is None:
            raise Misconfigured(where, "asks for more than any task of Fargate has")
        size = TaskSize(max(asked.cpu, size.cpu), max(asked.memory, size.memory)) if _several(base) else asked
    containers = [
        {**one, **_changes(one, file, image, env, references, memory)} if one["name"] == main else dict(one)
        for one in base["containerDefinitions"]
    ]
    kept = {key: value for key, value in base.items() if key not in (*TOLD, "tags")}
    return {
        **kept,
        "family": family,
        "cpu": str(size.cpu),
        "memory": str(size.memory),
        "containerDefinitions": containers,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


def _several(base: Mapping[str, Any]) -> bool:
    return len(base["containerDefinitions"]) > 1


def _changes(
    container: Mapping[str, Any],
    file: Service,
    image: str,
    env: Mapping[str, str],
    references: Mapping[str, str],
    memory: int | None,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "image": image,
        "stopTimeout": min(file.stop_seconds, MOST_STOP_SECONDS),
        "environment": pairs(env, "value"),
        "secrets": pairs(references, "valueFrom"),
        "linuxParameters": {**container.get("linuxParameters", {}), "initProcessEnabled": file.init},
        "cpu": round(file.cpus * 1024) if file.cpus else 0,
    }
    if file.command is not None:
        found["command"] = list(file.command)
    if file.port:
        found["portMappings"] = [{"containerPort": file.port, "protocol": "tcp"}]
    if memory:
        found["memory"] = -(-memory // MIB)
    return found
