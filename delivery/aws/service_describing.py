"""What a release makes of a service of ECS: its definition, and where requests come to in it."""

from collections.abc import Mapping
from typing import Any

from delivery.aws.derived_definition import derived_definition, main_container
from delivery.aws.failures import aws_errors
from delivery.aws.service_look import ServiceLook
from delivery.aws.service_ways import ServiceWay
from delivery.aws.starting import Starter, family_of
from delivery.ports.slots import Colour
from delivery.releases.release import Release


def define(
    look: ServiceLook, starter: Starter, release: Release, colour: Colour, service: str, references: dict[str, str]
) -> str:
    """Register the definition of a release's tasks of a service, made from the one it runs, and return its ARN."""
    client, way = look.tasks.client, look.ways.of(service)
    with aws_errors("ecs"):
        told = look.described(way)
        base = client.describe_task_definition(taskDefinition=running_definition(told))["taskDefinition"]
        known = next((one.get("containerName", "") for one in told.get("loadBalancers", ())), "")
        asked = derived_definition(
            base,
            main_container(base, service, known),
            starter.app.services[service],
            starter.image(release, service),
            where=f"headway.yaml: services.{service}",
            family=family_of(look.settings, colour, service),
            env=starter.variables(release, service)[0],
            references=references,
            tags=starter.tags(release, colour, look.sequence),
        )
        return str(client.register_task_definition(**asked)["taskDefinition"]["taskDefinitionArn"])


def running_definition(service: Mapping[str, Any]) -> str:
    """Return the definition that a service runs: that of its primary tasks, where CodeDeploy makes sets of them."""
    primary = (one for one in service.get("taskSets", ()) if one["status"] == "PRIMARY")
    return next((str(one["taskDefinition"]) for one in primary), str(service["taskDefinition"]))


def container_of(look: ServiceLook, way: ServiceWay, definition: str) -> tuple[str, int]:
    """Return the container of a definition that requests come to, and its port."""
    with aws_errors("ecs"):
        told = look.described(way)
        base = look.tasks.client.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    named = next((str(one.get("containerName", "")) for one in told.get("loadBalancers", ())), "")
    container = main_container(base, way.name, named)
    return container, _port(base, container)


def _port(base: Mapping[str, Any], container: str) -> int:
    found = next(one for one in base["containerDefinitions"] if one["name"] == container)
    return int(found["portMappings"][0]["containerPort"])
