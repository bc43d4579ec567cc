"""Waiting for a release's tasks of one service: until they are healthy, or as long as nothing says they never will."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from delivery.aws.instances import Instance, routes_of
from delivery.aws.questions import ask_at, is_well
from delivery.aws.service_look import ServiceLook, with_program
from delivery.aws.service_ways import ServiceWay
from delivery.aws.starting import Starter, unhealthy
from delivery.aws.target_record import SlotRecord, TargetRecord
from delivery.aws.tasks import AROUND_SECONDS
from delivery.errors import HeadwayError, Rejected, ReleaseUnhealthy
from delivery.ports.slots import Colour
from delivery.traffic.served import as_version, routed_to, version_problem
from delivery.waiting import until

BETWEEN_SECONDS, TESTED_SECONDS = 1.0, 60.0
ILL, UNABLE, STARTED = "failed ELB health checks", "unable to place a task", ") has started "
PLACED_SECONDS = 30.0  # in which ECS starts a task where there is room, whatever it said before
# Who stopped a task for a reason of his own: the service starts another one.
NO_FAULT = ("Scaling activity initiated", "Task stopped by user")


def until_staged(look: ServiceLook, starter: Starter, colour: Colour, way: ServiceWay, slot: SlotRecord) -> None:
    """Return when every task of a service is healthy and its deployment waits for users.

    Raises ReleaseUnhealthy with the reason of the first task that stopped, and the end of its log; when a task is not
    healthy within its time; and when ECS cannot place one. Raises Rejected when the release was given up.
    """
    definition, file = slot.definitions[way.name], slot.services[way.name]
    began, running, rollouts = datetime.now(UTC), dict[str, float](), look.rollouts(way)
    alone = TargetRecord(slots={colour: slot})  # nothing else of what is known matters here

    def ready() -> bool:
        now = rollouts.find(way, definition)
        if now is not None and not now.has_held:
            raise ReleaseUnhealthy(rollouts.taken_back(way, now))
        own = [one for one in look.instances(alone) if one.service == way.name]
        for one in own:
            if one.task.is_running:
                running.setdefault(one.task.arn, time.monotonic())
        if now is not None and now.is_staged and len(own) >= file.instances and all(map(is_well, own)):
            return True
        _check_none_stopped(look, starter, colour, way, slot)
        _check_placed(look, way, began)
        for one in own:
            since = running.get(one.task.arn)
            if since is not None and time.monotonic() - since > file.start_seconds and not is_well(one):
                problem = f"was not healthy within {file.start_seconds} s"
                raise unhealthy(look.access, look.tasks, look.settings, one, problem)
        return False

    seconds = AROUND_SECONDS + file.start_seconds
    found = until(ready, seconds=seconds, every=BETWEEN_SECONDS, unless=look.given_up.is_set)
    if not found and look.given_up.is_set():
        raise Rejected(f"{way.name} was not healthy yet when the release was given up")
    if not found:
        raise ReleaseUnhealthy(f"the deployment of {way.service} was not ready within {seconds:g} s")


def until_tested(look: ServiceLook, colour: Colour) -> None:
    """Return when the test listener serves a slot: a load balancer needs seconds for what it was told.

    Services that tell their version there are asked. Raises ReleaseUnhealthy when another one answers for a minute.
    """
    slot = look.record().slots[colour]
    routes, found = routes_of(slot.services), dict[str, str]()
    asked = [
        one for one in look.instances_of(colour) if one.number == 1 and one.file.version and _is_reached(one, routes)
    ]

    def served() -> bool:
        for one in asked:
            path, sha = str(one.file.version), one.release.revision.sha
            told = as_version(ask_at(look.ways.test_url, path, host=_host_of(one)))
            found[path] = version_problem(told, path, digest=one.digest, revision=sha)
        return not any(found.values())

    if not until(served, seconds=TESTED_SECONDS, every=BETWEEN_SECONDS, unless=look.given_up.is_set):
        problem = next((problem for problem in found.values() if problem), "does not answer")
        raise ReleaseUnhealthy(f"{look.ways.test_url}, where testers reach it, {problem}")


def _is_reached(one: Instance, routes: Mapping[str, str]) -> bool:
    return routed_to(str(one.file.version), routes, _host_of(one)) == one.service


def _host_of(one: Instance) -> str:
    return one.file.public_host if one.file.hosts else ""


def _check_none_stopped(look: ServiceLook, starter: Starter, colour: Colour, way: ServiceWay, slot: SlotRecord) -> None:
    for task in look.tasks.of_service(way.service, stopped=True):
        if task.definition == slot.definitions[way.name] and not task.reason.startswith(NO_FAULT):
            named, file = with_program(task, way.name), slot.services[way.name]
            raise _why_stopped(look, starter, Instance(named, colour, way.name, 1, slot.release, file))


def _why_stopped(look: ServiceLook, starter: Starter, instance: Instance) -> HeadwayError:
    if ILL in instance.task.reason:
        return unhealthy(look.access, look.tasks, look.settings, instance, f"is not healthy: {instance.task.reason}")
    return starter.ended(instance)


def _check_placed(look: ServiceLook, way: ServiceWay, began: datetime) -> None:
    """Return unless ECS has no room for a task: it said so since then, or before that, and started none in a while.

    It says so once: "Duplicate event messages are omitted until either the cause is resolved or six hours elapses."
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html
    """
    waited = (datetime.now(UTC) - began).total_seconds()
    for event in look.described(way).get("events", ()):  # the newest first
        if STARTED in event["message"]:
            return
        if UNABLE in event["message"] and (event["createdAt"] >= began or waited > PLACED_SECONDS):
            raise ReleaseUnhealthy(f"ECS has no room for tasks of {way.service}: {event['message']}")
