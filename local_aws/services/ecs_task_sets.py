"""What a service runs: sets of tasks, each of one revision of the service, as many as are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from moto.ecs.models import EC2ContainerServiceBackend, Service, ecs_backends
from moto.moto_api._internal import mock_random

from local_aws.services.ecs import all_tasks
from local_aws.services.ecs_stages import OVER, Plan, Progress, Wanted, wanted
from local_aws.services.ecs_tasks import BY_SERVICE, Task

SCHEDULER, ILL = "ServiceSchedulerInitiated", "failed ELB health checks"
EVENTS = 100  # "A maximum of 100 of the latest events are displayed."


@dataclass
class TaskSet:
    """Tasks of one revision of a service. `id` is by whom ECS says that they were started."""

    id: str
    revision: str
    service: str
    definition: str
    balancers: list[dict[str, Any]]
    asked: Mapping[str, Any]
    count: int
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_primary: bool = True
    deployed_by: str = ""  # the deployment of CodeDeploy that it was made for

    @property
    def group(self) -> str:
        """The target group that its tasks are registered in; empty where there is none."""
        return str(self.balancers[0]["targetGroupArn"]) if self.balancers else ""

    @property
    def port(self) -> int:
        """The port that its tasks are registered with."""
        return int(self.balancers[0]["containerPort"])

    def tasks(self) -> list[Task]:
        """Return its tasks that are not over."""
        return [one for one in all_tasks() if one.told["startedBy"] == self.id and not one.is_stopped]

    def failed(self) -> list[Task]:
        """Return its tasks that ended although nobody wanted them to, or that were never well."""
        mine = (one for one in all_tasks() if one.told["startedBy"] == self.id and one.is_stopped)
        return [one for one in mine if one.told.get("stopCode") != SCHEDULER or ILL in one.told["stoppedReason"]]

    def running(self) -> list[Task]:
        """Return its tasks that run and shall."""
        return [one for one in self.tasks() if one.told["lastStatus"] == "RUNNING" and not one.shall_stop]


@dataclass
class Deployment:
    """One deployment of a service by ECS itself: from its sources to its target."""

    arn: str
    service: str
    sources: list[TaskSet]
    target: TaskSet
    plan: Plan
    groups: tuple[str, ...] = ()  # both target groups between which traffic is shifted
    alarms: tuple[str, ...] = ()  # those that take it back
    progress: Progress = field(default_factory=Progress)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is to be done any more."""
        return self.progress.status in OVER

    @property
    def wanted(self) -> Wanted:
        """What it asks for now."""
        return wanted(self.plan, self.progress)


SETS: dict[str, TaskSet] = {}  # by id; those of services that are gone stay until their tasks are
REVISIONS: dict[str, TaskSet] = {}  # by ARN, also those that nobody runs any more
DEPLOYMENTS: dict[str, Deployment] = {}  # by ARN, oldest first


def new_set(service: Service, definition: str, balancers: list[dict[str, Any]], count: int, **more: Any) -> TaskSet:
    """Write down a new revision of a service, and its set of tasks."""
    number = mock_random.randint(10**18, 10**19 - 1)
    revision = service.arn.replace(":service/", ":service-revision/") + f"/{number}"
    asked = {
        "cluster": service.cluster_arn,
        "launchType": service.launch_type,
        "networkConfiguration": service.network_configuration or None,
        "platformVersion": service.platform_version,
        "capacityProviderStrategy": vars(service).get("capacityProviderStrategy") or None,
        "group": f"service:{service.name}",
        "enableECSManagedTags": vars(service).get("enableECSManagedTags") or None,
        "propagateTags": service.propagate_tags if service.propagate_tags == "TASK_DEFINITION" else None,
        "tags": service.tags if service.propagate_tags == "SERVICE" and service.tags else None,
    }
    kept = {name: value for name, value in asked.items() if value is not None}
    made = TaskSet(f"{BY_SERVICE}{number}", revision, service.arn, definition, balancers, kept, count, **more)
    SETS[made.id] = REVISIONS[revision] = made
    return made


def sets_of(service: str) -> list[TaskSet]:
    """Return the sets of a service, oldest first."""
    return [one for one in SETS.values() if one.service == service]


def open_deployment(service: str) -> Deployment | None:
    """Return the deployment of a service that is not over."""
    return next((one for one in DEPLOYMENTS.values() if one.service == service and not one.is_over), None)


def wanted_of(task_set: TaskSet) -> int:
    """Return how many tasks a set shall have now."""
    found = open_deployment(task_set.service)
    if found and task_set is found.target:
        return found.wanted.target_tasks
    if found and task_set in found.sources:
        return min(task_set.count, found.wanted.source_tasks)
    return task_set.count


def services() -> list[Service]:
    """Return the services of all accounts and regions."""
    backends: list[EC2ContainerServiceBackend] = [
        region for account in list(ecs_backends.values()) for region in list(account.values())
    ]
    return [one for backend in backends for one in list(backend.services.values())]


def add_event(service: Service, message: str, moment: float) -> None:
    """Let a service say what happened to it, unless that is what it said last."""
    if not service.events or service.events[0]["message"] != message:
        told = {"id": str(mock_random.uuid4()), "createdAt": datetime.fromtimestamp(moment, UTC), "message": message}
        service.events = [told, *service.events][:EVENTS]


def finish(deployment: Deployment) -> None:
    """Forget the sets that a deployment that is over leaves without a task."""
    gone = deployment.sources if deployment.progress.status == "SUCCESSFUL" else [deployment.target]
    for one in gone:
        one.count = 0
        SETS.pop(one.id, None)
    for one in deployment.sources if deployment.progress.status != "SUCCESSFUL" else [deployment.target]:
        one.is_primary = True
        for service in (each for each in services() if each.arn == deployment.service):
            service.task_definition, one.count = one.definition, service.desired_count


def moved(deployment: Deployment, progress: Progress) -> None:
    """Take over how far a deployment is, and what that means for its service."""
    deployment.progress = replace(progress, version=progress.version + 1)
    if deployment.is_over:
        finish(deployment)
