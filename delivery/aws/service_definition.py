"""What an instance of a service is to ECS: a task definition with one program, its secrets by reference.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

from collections.abc import Mapping
from typing import Any

from delivery.aws.task_definition import PROGRAM, TaskSettings, pairs, task_definition
from delivery.errors import Misconfigured
from delivery.spec.fargate import MIB, smallest_task
from delivery.spec.parts import memory_bytes
from delivery.spec.services import Service

MOST_STOP_SECONDS = 120  # "The max stop timeout value is 120 seconds" on Fargate


def service_definition(
    name: str,
    file: Service,
    image: str,
    settings: TaskSettings,
    *,
    family: str,
    region: str,
    env: Mapping[str, str],
    references: Mapping[str, str],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """Return what RegisterTaskDefinition takes for a service; `references` has variable → `valueFrom` of its secrets.

    Without a word about it, an instance may use all that its task has. Raises Misconfigured for what no task can be.
    """
    memory = memory_bytes(file.memory) if file.memory else None
    size = smallest_task(file.cpus, memory)
    if size is None:
        raise Misconfigured(f"headway.yaml: services.{name}", "asks for more than any task of Fargate has")
    program: dict[str, Any] = {
        "name": PROGRAM,
        "image": image,
        "essential": True,
        "stopTimeout": min(file.stop_seconds, MOST_STOP_SECONDS),
        "environment": pairs(env, "value"),
        "secrets": pairs(references, "valueFrom"),
        "linuxParameters": {"initProcessEnabled": file.init},
    }
    if file.command is not None:
        program["command"] = list(file.command)
    if file.port:
        program["portMappings"] = [{"containerPort": file.port, "protocol": "tcp"}]
    if file.cpus:
        program["cpu"] = round(file.cpus * 1024)
    if memory:
        program["memory"] = -(-memory // MIB)
    return task_definition([program], settings, size=size, family=family, region=region, log_prefix=name, tags=tags)
