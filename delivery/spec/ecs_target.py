"""What stands in headway.yaml about a cluster of ECS as a target, and what does not fit with it."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from pydantic import Field

from delivery.spec.ecs_services import CodeDeploySettings, EcsService, unlike_services
from delivery.spec.fargate import FARGATE, smallest_task
from delivery.spec.parts import memory_bytes
from delivery.spec.second_region import SecondRegion
from delivery.spec.services import Service
from delivery.spec.shift import ShiftPlan
from delivery.spec.target import TargetSettings

LEAST_STEP, MINUTE = 3, 60
_OF_THIS_MACHINE = re.compile(r"^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$")


def _is_equal(shift: ShiftPlan) -> bool:
    """Whether a plan is one canary, or steps that are equal, each held as long."""
    percents, holds = [step.percent for step in shift.steps], {step.hold_seconds for step in shift.steps[:-1]}
    first = percents[0]
    return len(percents) <= 2 or (percents == [*range(first, 100, first), 100] and len(holds) == 1)


def _unlike_ecs(shift: ShiftPlan) -> Iterator[str]:
    """Yield what ECS has no strategy for, with the nearest that it has: one canary, or equal steps of at least 3 %.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html
    """
    percents, holds = [step.percent for step in shift.steps], [step.hold_seconds for step in shift.steps[:-1]]
    if len(percents) > 2 and (not _is_equal(shift) or percents[0] < LEAST_STEP):
        step = max(LEAST_STEP, round(100 / len(percents)))
        near = f"{{linear: {{percent: {step}, hold_seconds: {max(holds):g}}}}}"
        yield f"shift: ECS has a canary, or equal steps of {LEAST_STEP} % or more (found {percents}); nearest: {near}"


def _unlike_codedeploy(shift: ShiftPlan) -> Iterator[str]:
    """Yield what CodeDeploy has no configuration for, with the nearest that it has: holds are whole minutes.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_TimeBasedLinear.html
    """
    found = [(step.percent, step.hold_seconds) for step in shift.steps]
    holds = [seconds for _, seconds in found[:-1]]
    if not holds or (_is_equal(shift) and all(one and one % MINUTE == 0 for one in holds)):
        return
    kind, percent = ("canary", found[0][0]) if len(found) == 2 else ("linear", round(100 / len(found)))
    near = f"{{{kind}: {{percent: {percent}, hold_seconds: {max(1, round(max(holds) / MINUTE)) * MINUTE}}}}}"
    told = ", ".join(f"{percent} % for {seconds:g} s" for percent, seconds in found)
    yield f"shift: CodeDeploy has a canary, or equal steps, held for whole minutes (found {told}); nearest: {near}"


_UNLIKE = {"ecs": _unlike_ecs, "codedeploy": _unlike_codedeploy}


class EcsTarget(TargetSettings):
    """Releases run as tasks of Fargate in a cluster of ECS: behind a load balancer, or at addresses of their own.

    What is not said here is taken from the outputs `service` and `database` of the environment's infrastructure.
    """

    kind: Literal["ecs"] = Field(description="said, for the default is docker")
    deployer: Literal["none", "ecs", "codedeploy"] = Field(
        "none",
        description="who moves traffic behind a load balancer: ecs, codedeploy; none: tasks at addresses of their own",
    )
    cluster: str | None = Field(None, description="the cluster's name")
    subnets: tuple[str, ...] = Field((), description="subnets of tasks")
    security_groups: tuple[str, ...] = Field((), description="security groups of tasks")
    execution_role: str | None = Field(None, description="ARN of the role that tasks are started with")
    task_role: str | None = Field(None, description="ARN of the role that the application is to AWS")
    log_group: str | None = Field(None, description="where tasks write")
    bucket: str | None = Field(None, description="bucket for what is known of the environment, and for files of jobs")
    public_address: bool = Field(False, description="whether tasks get one: in subnets without a gateway")
    url: str | None = Field(None, description="where users reach the load balancer")
    test_url: str | None = Field(None, description="where testers reach it")
    services: dict[str, EcsService] = Field({}, description="services of the application → services of ECS")
    traffic_role: str | None = Field(None, description="ARN of the role that ECS changes listener rules as")
    codedeploy: CodeDeploySettings | None = Field(None, description="what CodeDeploy releases by")
    alarms: tuple[str, ...] = Field((), description="names of alarms of CloudWatch that stop a release")
    instance: str | None = Field(None, description="name of the RDS instance with the application's database")
    second_region: SecondRegion = Field(SecondRegion(), description="where backups of the database are copied to")
    courier_image: str = Field(
        "public.ecr.aws/docker/library/python:3.11-alpine", description="has Python; carries files out of jobs"
    )
    client_image: str = Field(
        "public.ecr.aws/docker/library/postgres:17-alpine",
        description="has PostgreSQL's programs",
    )

    def problems(
        self, before: Mapping[str, TargetSettings], shift: ShiftPlan, services: Mapping[str, Service]
    ) -> Iterator[str]:
        """Yield what tasks cannot do: traffic in parts, volumes that stay, and what is larger than any task."""
        if self.deployer == "none" and len(shift.steps) > 1:
            yield "shift: tasks at addresses of their own get all traffic or none; allowed: AllAtOnce"
        if unlike := _UNLIKE.get(self.deployer):
            yield from unlike(shift)
        yield from unlike_services(self.services, self.deployer, self.codedeploy, services)
        for name, service in services.items():
            if service.volumes:
                yield f"target: ecs keeps no volumes (services.{name}.volumes); allowed: a database, or a bucket of S3"
            if not smallest_task(service.cpus, memory_bytes(service.memory) if service.memory else None):
                cpu, sizes = max(FARGATE.items())
                most = f"{cpu / 1024:g} cpus and {sizes[-1] // 1024}g of memory"
                yield f"target: Fargate has no task as large as services.{name}; allowed: at most {most}"

    def backing_problems(self, backing: Collection[str]) -> Iterator[str]:
        """Yield that none is run: the environment's infrastructure brings what there is beside tasks."""
        if backing:
            yield (
                f"target: ecs runs no backing services (found {', '.join(backing)}); allowed: what the environment's "
                "infrastructure brings, by its address in `env`"
            )

    def reaches(self, registry: str) -> bool:
        """Whether it is no registry of the machine that Headway runs on: those have no path."""
        return not _OF_THIS_MACHINE.match(registry)

    def needed_outputs(self, *, database: bool) -> tuple[str, ...]:
        """Return `service`, and `database` when the application has one, unless all of that is said here."""
        said: list[object] = [
            self.cluster,
            self.subnets,
            self.security_groups,
            self.execution_role,
            self.log_group,
            self.bucket,
        ]
        if self.deployer != "none":
            said += [self.url, self.test_url, self.services]
            said += [self.codedeploy if self.deployer == "codedeploy" else self.traffic_role]
        needed = () if all(said) else ("service",)
        return (*needed, "database") if database and not self.instance else needed
