"""Tasks of ECS: started, waited for to their end, and why they did not come to one."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from delivery.aws.failures import aws_errors
from delivery.aws.task_definition import PROGRAM, TaskSettings
from delivery.errors import HeadwayError, Misconfigured, Rejected, Transient
from delivery.waiting import until

POLL_SECONDS = 1.0
DESCRIBED_AT_ONCE = 100  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
# Before and after the program, the task is set up and put away: images are pulled, the network is made.
AROUND_SECONDS = 600.0
STOP_SECONDS = 120.0
NO_CAPACITY = ("RESOURCE", "capacity", "AGENT")
_STATUS = {False: "RUNNING", True: "STOPPED"}
CANNOT_PULL, CANNOT_START = "CannotPull", "ResourceInitializationError"


@dataclass(frozen=True)
class Task:
    """A task as ECS tells of it; `program` is its container that matters."""

    found: Mapping[str, Any]
    program: str = PROGRAM

    @property
    def arn(self) -> str:
        """Its whole name."""
        return str(self.found["taskArn"])

    @property
    def id(self) -> str:
        """The end of its name."""
        return self.arn.rpartition("/")[2]

    @property
    def definition(self) -> str:
        """The whole name of its definition."""
        return str(self.found["taskDefinitionArn"])

    @property
    def has_stopped(self) -> bool:
        """Whether it is over, with all its containers."""
        return bool(self.found["lastStatus"] == "STOPPED")

    @property
    def has_begun(self) -> bool:
        """Whether its program runs, or did."""
        return self._program.get("lastStatus") == "RUNNING" or self.exit_code is not None

    @property
    def exit_code(self) -> int | None:
        """How the program ended; none: it never ran, or runs."""
        code = self._program.get("exitCode")
        return None if code is None else int(code)

    @property
    def address(self) -> str:
        """Where it is reached in its network; empty before it has an address."""
        details = [one for attached in self.found.get("attachments", ()) for one in attached.get("details", ())]
        return next((str(one["value"]) for one in details if one["name"] == "privateIPv4Address"), "")

    @property
    def is_running(self) -> bool:
        """Whether its program runs."""
        return self._program.get("lastStatus") == "RUNNING"

    @property
    def digest(self) -> str | None:
        """The digest of the image that its program runs, as ECS says."""
        return self._program.get("imageDigest")

    def as_definition(self) -> dict[str, Any]:
        """Return which containers it has, as its definition tells them."""
        return {"taskDefinitionArn": self.definition, "containerDefinitions": self.found["containers"]}

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        return {one["key"]: one["value"] for one in self.found.get("tags", ())}

    @property
    def reason(self) -> str:
        """Why it stopped, in ECS's words, with what it says of the program."""
        said = (self.found.get("stoppedReason", ""), self._program.get("reason", ""))
        return "; ".join(dict.fromkeys(filter(None, said)))

    @property
    def _program(self) -> Mapping[str, Any]:
        return next((one for one in self.found.get("containers", ()) if one["name"] == self.program), {})


class Tasks:
    """The tasks of one cluster."""

    def __init__(self, client: Any, settings: TaskSettings) -> None:
        self.client, self.settings = client, settings

    def start(self, definition: str, by: str, *, number: int = 1, tags: Mapping[str, str] | None = None) -> Task:
        """Start the task `number` of a definition: it is started once, however often that is asked.

        Raises Transient when there is no room for it now, Rejected when ECS does not start it for another reason.
        """
        network = {
            "subnets": list(self.settings.subnets),
            "securityGroups": list(self.settings.security_groups),
            "assignPublicIp": "ENABLED" if self.settings.public_address else "DISABLED",
        }
        with aws_errors("ecs"):
            answer = self.client.run_task(
                cluster=self.settings.cluster,
                taskDefinition=definition,
                launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": network},
                startedBy=by[:128],
                clientToken=sha256(f"{definition}/{number}".encode()).hexdigest(),
                tags=[{"key": key, "value": value} for key, value in (tags or {}).items()],
                propagateTags="TASK_DEFINITION",
            )
        if answer["tasks"]:
            return Task(answer["tasks"][0])
        told = "; ".join(f"{one.get('reason', '')} {one.get('detail', '')}".strip() for one in answer["failures"])
        raise _not_started(told)

    def look(self, task: Task) -> Task:
        """Return the task as it is now; Rejected when ECS knows it no more."""
        with aws_errors("ecs"):
            found = self.client.describe_tasks(cluster=self.settings.cluster, tasks=[task.arn]).get("tasks")
        if not found:
            raise Rejected(f"ECS knows nothing of task {task.id} any more")
        return Task(found[0], task.program)

    def until_begun(self, task: Task) -> Task:
        """Return the task once its program runs or has ended, or the task has stopped; Transient when it takes long."""
        found = self._until(task, lambda now: now.has_begun or now.has_stopped, AROUND_SECONDS)
        if found is None:
            raise Transient(f"task {task.id} did not begin within {AROUND_SECONDS:g} s")
        return found

    def until_ended(self, task: Task, seconds: float) -> Task | None:
        """Return the task once its program has ended; none when it has not within `seconds`."""
        return self._until(task, lambda now: now.exit_code is not None or now.has_stopped, seconds)

    def until_stopped(self, task: Task) -> Task:
        """Return the task once all of it has stopped; it is stopped when that takes long."""
        return self._until(task, lambda now: now.has_stopped, AROUND_SECONDS) or self.stop(task, "it does not end")

    def stop(self, task: Task, reason: str) -> Task:
        """Stop a task and return it once it has; nothing happens to one that has already."""
        with aws_errors("ecs"):
            self.client.stop_task(cluster=self.settings.cluster, task=task.arn, reason=reason[:255])
        found = self._until(task, lambda now: now.has_stopped, STOP_SECONDS)
        if found is None:
            raise Transient(f"task {task.id} did not stop within {STOP_SECONDS:g} s")
        return found

    def running(self, by: str) -> list[Task]:
        """Return the tasks that were started by `by` and that have not stopped."""
        with aws_errors("ecs"):
            return [task for task in self._listed(startedBy=by[:128]) if not task.has_stopped]

    def of_service(self, service: str, *, stopped: bool = False) -> list[Task]:
        """Return the tasks of a service that shall run, or those that have stopped lately."""
        with aws_errors("ecs"):
            return [
                one
                for one in self._listed(serviceName=service, desiredStatus=_STATUS[stopped])
                if one.has_stopped == stopped
            ]

    def _listed(self, **asked: str) -> list[Task]:
        pages = self.client.get_paginator("list_tasks").paginate(cluster=self.settings.cluster, **asked)
        arns = [arn for page in pages for arn in page["taskArns"]]
        return [
            Task(one)
            for first in range(0, len(arns), DESCRIBED_AT_ONCE)
            for one in self.client.describe_tasks(
                cluster=self.settings.cluster, tasks=arns[first : first + DESCRIBED_AT_ONCE], include=["TAGS"]
            )["tasks"]
        ]

    def running_of(self, tasks: Sequence[Task]) -> list[Task]:
        """Return those of some tasks, at most a hundred, that have not stopped."""
        with aws_errors("ecs"):
            found = self.client.describe_tasks(cluster=self.settings.cluster, tasks=[one.arn for one in tasks])["tasks"]
        return [task for task in map(Task, found) if not task.has_stopped]

    def definitions(self, family: str) -> list[str]:
        """Return the task definitions of a family that can be started."""
        with aws_errors("ecs"):
            pages = self.client.get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
            return [str(arn) for page in pages for arn in page["taskDefinitionArns"]]

    def forget_definitions(self, family: str) -> None:
        """Make sure that none of a family can be started any more; what runs goes on."""
        for arn in self.definitions(family):
            with aws_errors("ecs"):
                self.client.deregister_task_definition(taskDefinition=arn)

    def _until(self, task: Task, condition: Callable[[Task], bool], seconds: float) -> Task | None:
        def look() -> Task | None:
            with contextlib.suppress(Transient):  # asked again a moment later
                found = self.look(task)
                return found if condition(found) else None
            return None

        return until(look, seconds=seconds, every=POLL_SECONDS)


def trouble_of(task: Task, image: str) -> HeadwayError | None:
    """Return why a stopped task never ran its program, or none when it did.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    """
    if task.exit_code is not None:
        return None
    if CANNOT_PULL in task.reason:
        return Misconfigured(
            f"image {image}", task.reason, next_step="let the execution role pull it, or push it again"
        )
    if CANNOT_START in task.reason:
        return Misconfigured("task", task.reason, next_step="let the execution role read what it names")
    return _not_started(task.reason or "no reason is told")


def _not_started(told: str) -> HeadwayError:
    if any(word in told for word in NO_CAPACITY):
        return Transient(f"ECS has no room for the task now: {told}")
    return Rejected(f"ECS did not run the task: {told}")
