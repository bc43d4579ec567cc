"""An environment on ECS: services behind a load balancer as infra/aws makes them, and how Headway opens it."""

from dataclasses import dataclass
from typing import Any

from delivery.aws.environment import open_ecs
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.support.codedeploy import make_group
from tests.support.ecs_service import Way

APPLICATION = "shops"  # of CodeDeploy
CANARY = "canary-77c0d1"  # of a secret


def make_app(deployer="ecs"):
    web = {"port": 8000, "health": "/healthz", "version": "/version", "stop_seconds": 2, "start_seconds": 60}
    hold = {"ecs": 0, "codedeploy": 120}[deployer]  # CodeDeploy holds for whole minutes of AWS
    shift = {"canary": {"percent": 10, "hold_seconds": hold}}
    place = {"target": {"kind": "ecs", "deployer": deployer}, "shift": shift}
    return App.model_validate(
        {"app": "shop", "images": {"web": {}}, "services": {"web": web}, "environments": {"production": place}}
    )


def first_definition(ecs: Any, room: Any, family: str) -> str:
    """Register what a service runs before its first release, as infra/aws has it, with something a team added."""
    log = {"awslogs-group": room.log_group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    main = {
        "name": "web",
        "image": "placeholder",
        "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
        "dockerLabels": {"team": "ours"},
        "logConfiguration": {"logDriver": "awslogs", "options": log},
    }
    told = ecs.register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=room.execution_role,
        containerDefinitions=[main],
    )
    return told["taskDefinition"]["taskDefinitionArn"]


def make_service(server: Any, room: Any, way: Way, deployer: str) -> None:
    """Make a service as infra/aws does: nothing runs before the first release."""
    ecs = server.client("ecs")
    network = {"subnets": list(room.subnets), "securityGroups": list(room.security_groups)}
    ecs.create_service(
        cluster=room.cluster,
        serviceName=way.name,
        taskDefinition=first_definition(ecs, room, way.name),
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
        loadBalancers=[{"targetGroupArn": way.groups["blue"], "containerName": "web", "containerPort": 8000}],
        healthCheckGracePeriodSeconds=120,
        deploymentController={"type": "CODE_DEPLOY" if deployer == "codedeploy" else "ECS"},
    )
    if deployer == "codedeploy":
        make_group(server.client, room.cluster, way, APPLICATION)


def make_worker(server: Any, room: Any, name: str) -> None:
    """Make a service that no load balancer knows, as infra/aws does."""
    ecs = server.client("ecs")
    network = {"subnets": list(room.subnets), "securityGroups": list(room.security_groups)}
    ecs.create_service(
        cluster=room.cluster,
        serviceName=name,
        taskDefinition=first_definition(ecs, room, name),
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
    )


@dataclass
class Opens:
    """How the environment of some settings is opened under a lease."""

    app: App
    home: Any
    settings: EnvironmentSettings

    def __call__(self, sequence, *, app=None, **policy):
        app = app or self.app
        environment = app.environments["production"].model_copy(update=policy)
        return open_ecs(app, environment, self.settings, sequence=sequence, home=self.home).target
