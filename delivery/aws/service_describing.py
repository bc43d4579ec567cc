"""What a release makes of a service of ECS: its definition, and how traffic is to be moved to it."""

from collections.abc import Mapping
from typing import Any

from delivery.aws.derived_definition import derived_definition, main_container
from delivery.aws.ecs_rollouts import configuration
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
        base = client.describe_task_definition(taskDefinition=told["taskDefinition"])["taskDefinition"]
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


def traffic(look: ServiceLook, way: ServiceWay, definition: str, at_once: bool) -> dict[str, Any]:
    """Return what UpdateService is told of both target groups, and of how ECS moves traffic between them."""
    with aws_errors("ecs"):
        told = look.described(way)
        base = look.tasks.client.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    named = next((str(one.get("containerName", "")) for one in told.get("loadBalancers", ())), "")
    container = main_container(base, way.name, named)
    pair = {
        "targetGroupArn": way.groups[0],
        "containerName": container,
        "containerPort": base_port(base, container),
        "advancedConfiguration": {
            "alternateTargetGroupArn": way.groups[1],
            "productionListenerRule": way.production_rule,
            "testListenerRule": way.test_rule,
            "roleArn": look.ways.traffic_role,
        },
    }
    return {
        "loadBalancers": [pair],
        "deploymentConfiguration": configuration(look.environment, at_once=at_once),
    }


def base_port(base: Mapping[str, Any], container: str) -> int:
    """Return the port of a definition's container."""
    found = next(one for one in base["containerDefinitions"] if one["name"] == container)
    return int(found["portMappings"][0]["containerPort"])
