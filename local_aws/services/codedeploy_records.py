"""Deployments of CodeDeploy to ECS, as they are known: whose service, from which tasks to which, and how far."""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from moto.codedeploy.models import DeploymentGroup
from moto.ecs.models import Service, ecs_backends
from moto.moto_api._internal import mock_random

from local_aws.services.codedeploy_stages import OVER, Plan, Progress, Wanted, wanted
from local_aws.services.ecs_task_sets import SETS, TaskSet

ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass
class Deployment:
    """One deployment: what was asked, from which set of tasks to which, and how far it is.

    `rollback` is the deployment by which it went back, and `rollback_of` the one that such a deployment is of.
    """

    id: str
    account: str
    region: str
    asked: dict[str, Any]
    group: DeploymentGroup
    service: str
    blue: TaskSet
    green: TaskSet
    plan: Plan
    alarms: tuple[str, ...] = ()
    rollback: str = ""
    rollback_of: str = ""
    progress: Progress = field(default_factory=Progress)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is to be done any more."""
        over = self.progress.status in OVER
        return over and (not self.progress.rolls_back or self.progress.is_back)

    @property
    def wanted(self) -> Wanted:
        """What it asks for now."""
        return wanted(self.plan, self.progress)


DEPLOYMENTS: dict[str, Deployment] = {}  # by id, oldest first


def new_id() -> str:
    """Return a name as CodeDeploy gives them."""
    return "d-" + "".join(mock_random.choice(ID_LETTERS) for _ in range(9))


def open_deployment(service: str) -> Deployment | None:
    """Return the deployment of a service that is not over."""
    return next((one for one in DEPLOYMENTS.values() if one.service == service and not one.is_over), None)


def pair_of(group: DeploymentGroup) -> dict[str, Any]:
    """Return the target groups and routes that a group shifts traffic with."""
    [pair] = group.load_balancer_info["targetGroupPairInfoList"]
    return dict(pair)


def moved(one: Deployment, progress: Progress) -> None:
    """Take over how far a deployment is, and what that means for its service."""
    began_back = progress.rolls_back and not one.progress.rolls_back
    one.progress = replace(progress, version=one.progress.version + 1)
    if began_back:
        _add_rollback(one)
    if one.progress.status != "Succeeded":
        one.blue.count, one.green.count = one.wanted.blue_tasks, one.wanted.green_tasks
    if not one.is_over:
        return
    if one.progress.status == "Succeeded":
        _become(one.service, one.green, one.blue)
    elif one.progress.rolls_back:
        _become(one.service, one.blue, one.green)
        back = DEPLOYMENTS[one.rollback]
        back.progress = replace(back.progress, status="Succeeded", finished=time.time())
    elif not one.wanted.percent:  # else both stay as they are, and whoever stopped it has to see to them
        _become(one.service, one.blue, one.green)


def scale(service: Service, primary: TaskSet) -> None:
    """Let both sets of a service have as many tasks as are asked for now.

    "computedDesiredCount: […] calculated by multiplying the service's desiredCount by the task set's scale percentage",
    which is 100 for both.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskSet.html
    """
    count, found = service.desired_count, open_deployment(service.arn)
    if found is None:
        primary.count = count
        return
    found.plan = replace(found.plan, blue_tasks=count, green_tasks=count)
    found.blue.count, found.green.count = found.wanted.blue_tasks, found.wanted.green_tasks


def _add_rollback(one: Deployment) -> None:
    """Write down the deployment by which CodeDeploy goes back: it is over when the one that failed is back."""
    one.rollback = new_id()
    asked = {**one.asked, "description": f"Automatic rollback of {one.id}"}
    begun = Progress(status="InProgress", started=time.time())
    created = datetime.now(UTC)
    DEPLOYMENTS[one.rollback] = replace(
        one, id=one.rollback, asked=asked, rollback="", rollback_of=one.id, progress=begun, created=created
    )


def _become(arn: str, stays: TaskSet, goes: TaskSet) -> None:
    goes.count = 0
    SETS.pop(goes.id, None)
    stays.is_primary = True
    region, account = arn.split(":")[3:5]
    cluster, name = arn.rsplit("/", 2)[1:]
    service = ecs_backends[account][region].services.get(f"{cluster}:{name}")
    if service is not None:
        service.task_definition, stays.count = stays.definition, service.desired_count


def take_progress(told: dict[str, Any]) -> None:
    """Take over how far an agent found a deployment, unless something else happened to it meanwhile."""
    found = DEPLOYMENTS[told["id"]]
    progress = Progress(**{**told["progress"], "events": tuple(map(tuple, told["progress"]["events"]))})
    if progress.version == found.progress.version:
        moved(found, progress)
