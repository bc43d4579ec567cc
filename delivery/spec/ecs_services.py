"""What stands in headway.yaml about services of ECS behind a load balancer, where no infrastructure tells it."""

from collections.abc import Collection, Iterator, Mapping
from typing import Self

from pydantic import Field, model_validator

from delivery.model import Model

TRAFFIC = ("blue", "green", "production_rule", "test_rule")


class EcsService(Model):
    """A service of ECS; one that requests come to has two target groups, and a rule for each kind of traffic."""

    service: str = Field(description="name of the service in its cluster")
    blue: str | None = Field(None, description="ARN of a target group; none: no load balancer knows the service")
    green: str | None = Field(None, description="ARN of the other target group")
    production_rule: str | None = Field(None, description="ARN of the listener rule of users")
    test_rule: str | None = Field(None, description="ARN of the listener rule of testers")
    deployment_group: str | None = Field(None, description="of CodeDeploy; none: it is named as the service is")

    @model_validator(mode="after")
    def _a_whole_way(self) -> Self:
        lacks = [key for key in TRAFFIC if not getattr(self, key)]
        if lacks and len(lacks) < len(TRAFFIC):
            raise ValueError(f"lacks {', '.join(lacks)}; allowed: {', '.join(TRAFFIC)}, or none of them")
        return self


class CodeDeploySettings(Model):
    """What CodeDeploy releases by: its application, and the function that says on a queue that a deployment waits."""

    app: str = Field(description="name of CodeDeploy's application")
    hook: str = Field(description="name of the function that deployments are told to, as infra/aws/relay has it")
    queue: str = Field(description="address of the queue that it writes into")


def unlike_services(
    named: Mapping[str, EcsService], deployer: str, codedeploy: CodeDeploySettings | None, services: Collection[str]
) -> Iterator[str]:
    """Yield what does not fit about services that are named by hand, each with its key below the environment."""
    if named and deployer == "none":
        yield "target.services: nobody moves their traffic (found deployer: none); allowed: deployer: ecs, codedeploy"
    if codedeploy and deployer != "codedeploy":
        yield f"target.codedeploy: does not deploy here (found deployer: {deployer}); allowed: deployer: codedeploy"
    for name in named:
        if name not in services:
            yield f"target.services: no such name (found {name}); allowed: {', '.join(services)}"
    if named and (missing := [name for name in services if name not in named]):
        yield f"target.services: lacks {', '.join(missing)}; allowed: all of the application's, each with its service"
