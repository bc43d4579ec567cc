"""How an environment's tasks and database are reached: what headway.yaml says, and the stack's outputs for the rest."""

from collections.abc import Mapping
from typing import Any

from delivery.aws.rds import RdsSettings
from delivery.aws.task_definition import TaskSettings
from delivery.errors import Misconfigured
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.ecs_target import EcsTarget


def is_known(target: EcsTarget, settings: EnvironmentSettings, *, database: bool = False) -> bool:
    """Whether all is known that tasks need: before the infrastructure was applied for the first time it is not."""
    return all(name in settings.outputs for name in target.needed_outputs(database=database))


def task_settings(target: EcsTarget, settings: EnvironmentSettings) -> TaskSettings:
    """Return what tasks run with; Misconfigured, with the key, for what nobody says."""
    told = output(settings, "service")

    def said(key: str, value: Any, name: str) -> Any:
        found = value or told.get(name)
        return found if found else missing(settings, key, f"service.{name}")

    return TaskSettings(
        cluster=said("cluster", target.cluster, "cluster"),
        subnets=tuple(said("subnets", target.subnets, "task_subnets")),
        security_groups=tuple(said("security_groups", target.security_groups, "task_security_groups")),
        execution_role=said("execution_role", target.execution_role, "execution_role"),
        log_group=said("log_group", target.log_group, "log_group"),
        bucket=said("bucket", target.bucket, "bucket"),
        task_role=target.task_role or told.get("task_role"),
        public_address=target.public_address or bool(told.get("public_tasks")),
        courier_image=target.courier_image,
    )


def database_settings(target: EcsTarget, settings: EnvironmentSettings) -> RdsSettings:
    """Return which instance of RDS has the application's database; Misconfigured when nobody says it."""
    told = output(settings, "database")
    if told.get("kind", "instance") != "instance" and not target.instance:
        raise Misconfigured(where(settings, "instance"), f"the stack's database is of kind {told['kind']}", "instance")
    instance = target.instance or told.get("identifier") or missing(settings, "instance", "database.identifier")
    return RdsSettings(instance, str(told.get("database") or "app"), target.client_image)


def output(settings: EnvironmentSettings, name: str) -> Mapping[str, Any]:
    """Return an output of the environment's infrastructure; empty when it has none of that name."""
    found = settings.outputs.get(name) or {}
    if not isinstance(found, Mapping):
        told = f"output {name} of the infrastructure of {settings.environment}"
        raise Misconfigured(told, repr(found), "an object, as infra/aws/environment has it")
    return found


def missing(settings: EnvironmentSettings, key: str, output: str) -> Any:
    """Raise Misconfigured: nobody says what a key of the target, or an output, would say."""
    raise Misconfigured(
        where(settings, key),
        f"is not said, and the environment's infrastructure tells no {output}",
        next_step="headway run applies the infrastructure; a stack of your own needs that output",
    )


def where(settings: EnvironmentSettings, key: str) -> str:
    """Return where a key of the target stands."""
    return f"headway.yaml: environments.{settings.environment}.target.{key}"
