"""The agent of ECS's services: as many tasks as are wanted, registered where requests come from, and deployments."""

import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError
from moto.ecs.models import Service

from local_aws import reports
from local_aws.agents.agent import Agent, log
from local_aws.agents.ecs_shares import networking_problem, wanted_shares
from local_aws.agents.rule_shares import are_shared, share
from local_aws.own_client import own_client
from local_aws.pace import seconds_of
from local_aws.services.cloudwatch import alarms_in_alarm
from local_aws.services.ecs import all_tasks
from local_aws.services.ecs_stages import World, advance
from local_aws.services.ecs_task_sets import (
    DEPLOYMENTS,
    ILL,
    REVISIONS,
    SETS,
    Deployment,
    TaskSet,
    services,
    wanted_of,
)
from local_aws.services.ecs_tasks import BY_SERVICE, Task
from local_aws.services.elbv2 import HEALTH

AGAIN_SECONDS, MOST_AGAIN_SECONDS = 10.0, 300.0  # of AWS: how long a set waits after a task that failed
AT_ONCE = 10
UNABLE = "was unable to place a task. Reason: "


class ServiceAgent(Agent):
    """Compares the records of services with the tasks that run for them."""

    def __init__(self) -> None:
        super().__init__("services")
        self._waits: dict[str, float] = {}  # set → when it may start tasks again

    def look(self) -> None:
        """Bring every deployment and every set of tasks a step forward."""
        named = {one.arn: one for one in services()}
        for deployment in list(DEPLOYMENTS.values()):
            if not deployment.is_over and deployment.service in named:
                self._deploy(deployment)
        for one in list(SETS.values()):
            if one.service in named:
                self._tend(one, named[one.service])
        for task in all_tasks():
            by = str(task.told["startedBy"] or "")
            if by.startswith(BY_SERVICE) and by not in SETS and not task.is_stopped:
                self._take_out(task, next((one for one in REVISIONS.values() if one.id == by), None))

    def _deploy(self, one: Deployment) -> None:
        place, shares = _place(one.service), wanted_shares(one)
        shared = are_shared(shares)
        if not shared:
            share(shares, *place)
        now = advance(one.plan, one.progress, _world(one, shared), lambda: str(uuid.uuid4()))
        if now is one.progress:
            return
        reports.tell("ecs-deployment", {"arn": one.arn, "progress": asdict(now)})
        if not are_shared(shares := wanted_shares(one)):
            share(shares, *place)  # before a task is taken out
        told = {"SUCCESSFUL": "deployment completed.", "ROLLBACK_SUCCESSFUL": f"rolled back: {now.back_because}"}
        if now.status in told:
            _say(one.service, told[now.status])

    def _tend(self, one: TaskSet, service: Service) -> None:
        tasks = [task for task in one.tasks() if not task.shall_stop]
        excess = max(0, len(tasks) - wanted_of(one))
        for task in sorted(tasks, key=lambda task: task.told["lastStatus"] == "RUNNING")[:excess]:
            self._take_out(task, one)
        if excess:
            return
        if len(tasks) < wanted_of(one) and time.monotonic() >= self._waits.get(one.id, 0):
            self._start(one, wanted_of(one) - len(tasks), service)
        for task in one.tasks() if one.group else ():
            _keep_registered(one, task, service)

    def _start(self, one: TaskSet, count: int, service: Service) -> None:
        failed = len(one.failed())
        if failed and one.id not in self._waits:
            self._waits[one.id] = time.monotonic() + seconds_of(min(MOST_AGAIN_SECONDS, AGAIN_SECONDS * failed))
            return
        self._waits.pop(one.id, None)
        asked = {**one.asked, "taskDefinition": one.definition, "startedBy": one.id, "count": min(count, AT_ONCE)}
        trouble = ""
        try:
            told = own_client("ecs", *_place(one.service)).run_task(**asked)
            trouble = ", ".join(failure["reason"] for failure in told["failures"])
            made = [task["taskArn"].rpartition("/")[2] for task in told["tasks"]]
            if made:
                _say(one.service, f"has started {len(made)} tasks: {' '.join(f'(task {name})' for name in made)}.")
        except ClientError as error:
            trouble = str(error)
        if trouble:
            self._waits[one.id] = time.monotonic() + seconds_of(AGAIN_SECONDS)
            _say(one.service, f"{UNABLE}{trouble}.")

    def _take_out(self, task: Task, one: TaskSet | None) -> None:
        """Let a task have no new requests, end those it has, and stop it then."""
        if task.shall_stop:
            return
        known = [key for key in _registered(task) if key[0] == (one.group if one else key[0])]
        for group, address, port in known:
            if HEALTH[group, address, port].state != "draining":
                _deregister(task, group, address, port)
        if not known:
            because = "Scaling activity initiated by (deployment "
            reports.tell("ecs-stop", {"task": task.task_arn, "reason": f"{because}{task.told['startedBy']})"})


def _world(one: Deployment, shared: bool) -> World:
    return World(
        now=time.time(),
        source_tasks=sum(len(source.tasks()) for source in one.sources),
        target_tasks=len(one.target.tasks()),
        target_well=sum(is_well(one.target, task) for task in one.target.running()),
        failed=len(one.target.failed()),
        alarms=tuple(alarms_in_alarm(*_place(one.service), one.alarms)),
        is_shared=shared,
        problem=networking_problem(one),
    )


def is_well(one: TaskSet, task: Task) -> bool:
    """Whether a task runs as it should: as its load balancer finds, and as its containers find themselves."""
    if task.told["healthStatus"] == "UNHEALTHY":
        return False
    if not one.group:
        return True
    state = HEALTH.get((one.group, address_of(task), one.port))
    return state is not None and state.state == "healthy"


def _keep_registered(one: TaskSet, task: Task, service: Service) -> None:
    """Register a task that runs, take out one that does not any more, stop one that is ill for too long."""
    address = address_of(task)
    if not address:
        return
    state = HEALTH.get((one.group, address, one.port))
    runs = task.told["lastStatus"] == "RUNNING" and not task.shall_stop
    if runs and state is None:
        elb = own_client("elbv2", *_place(one.service))
        elb.register_targets(TargetGroupArn=one.group, Targets=[{"Id": address, "Port": one.port}])
        _say(one.service, f"registered 1 targets in (target-group {one.group})")
    elif not runs and state is not None and state.state != "draining":
        _deregister(task, one.group, address, one.port)
    elif runs and state is not None and state.state == "unhealthy":
        # A program needs as long to come up as it needs, however fast time goes here.
        grace = float(vars(service).get("healthCheckGracePeriodSeconds") or 0)
        if (time.time() - task.told["startedAt"].timestamp()) > grace:
            reason = f"Task {ILL} in (target-group {one.group})"
            reports.tell("ecs-stop", {"task": task.task_arn, "reason": reason})
            _say(
                one.service, f"(port {one.port}) is unhealthy in (target-group {one.group}) due to (reason {state.why})"
            )


def _registered(task: Task) -> Iterator[tuple[str, str, int]]:
    address = address_of(task)
    return (key for key in list(HEALTH) if address and key[1] == address)


def _deregister(task: Task, group: str, address: str, port: int) -> None:
    account, region = task.account, task.region
    with suppress(ClientError):  # somebody took it out, or the group is gone
        own_client("elbv2", account, region).deregister_targets(
            TargetGroupArn=group, Targets=[{"Id": address, "Port": port}]
        )


def _say(service: str, message: str) -> None:
    name = service.rpartition("/")[2]
    log.info("service %s: %s", name, message)
    reports.tell("ecs-event", {"service": service, "message": f"(service {name}) {message}"})


def _place(arn: str) -> tuple[str, str]:
    """Return account and region."""
    region, account = arn.split(":")[3:5]
    return account, region


def address_of(task: Task) -> str:
    """Return where a task is reached; empty while it has no address."""
    found: list[dict[str, Any]] = [one for each in task.told["attachments"] for one in each["details"]]
    return next((str(one["value"]) for one in found if one["name"] == "privateIPv4Address"), "")
