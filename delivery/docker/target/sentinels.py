"""What looks at a release on a Docker host for a guard: the engine, the router, and every instance's health path."""

import contextlib
import functools
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, NotFound

from delivery.docker.engine.streams import end, given_back
from delivery.docker.target.instances import Instance
from delivery.docker.target.metrics import Answers
from delivery.docker.target.router import Router
from delivery.docker.target.router_runtime import Runtime
from delivery.docker.target.serving import fault_of
from delivery.errors import Transient
from delivery.ports.slots import Colour, other
from delivery.programs.haproxy_runtime import ServerStat
from delivery.spec.answer import Answer
from delivery.traffic.guard import Burst, Guard, Sight

LOOK_SECONDS = 0.1
RECONNECT_SECONDS = 0.5
PER_INTERVAL = 3  # looks at a health path while the router looks once
DOWN_LOOKS = 2  # a single look may fall into the moment in which the router learns an address


class EngineSentinel:
    """Listens to the engine: a container of the release that ends is a fault, whatever ends it."""

    def __init__(self, client: DockerClient, instances: Sequence[Instance]) -> None:
        self._client, self._instances = client, instances
        self._events: Any = None

    def watch(self, guard: Guard) -> None:
        """Raise an alarm when a container ends or was started again."""
        names = {one.container.id: str(one.container.name) for one in self._instances}
        filters = {"event": ["die", "oom"], "container": list(names)}
        sight = Sight("the Docker engine")
        while not guard.stopped.is_set():
            try:
                with given_back(self._client.events(decode=True, filters=filters)) as events:
                    self._events = events
                    if guard.stopped.is_set():  # closed before there was anything to close
                        self.close()
                    if fault := fault_of(self._instances):  # what happened before anybody listened
                        guard.alarm(fault)
                    sight.clear()
                    for event in events:
                        sight.clear()
                        self._alarm(guard, event, names.get(event["id"], event["id"]))
                    sight.clear()
            except (requests.RequestException, DockerException, OSError, ValueError, AttributeError) as error:
                sight.blind(guard, error)  # the engine is away, or this was closed
            guard.stopped.wait(RECONNECT_SECONDS)

    def _alarm(self, guard: Guard, event: dict[str, Any], name: str) -> None:
        code = event["Actor"]["Attributes"].get("exitCode", "none")
        how = f"ended with exit code {code}" if event["Action"] == "die" else "lost a process"
        guard.alarm(f"{name} {how}", details=functools.partial(_log_of, self._instances, event["id"]))

    def close(self) -> None:
        """Stop listening."""
        if self._events:
            end(self._events)


class RouterSentinel:
    """Listens to the router: a burst of failed requests or a server that is down is a fault.

    One whose checks are late, and nothing worse, is busy: it is given `late_seconds` to come back.
    """

    def __init__(self, router: Router, colour: Colour, late_seconds: float = 0) -> None:
        self._router, self._colour, self._late_seconds = router, colour, late_seconds

    def watch(self, guard: Guard) -> None:
        """Raise an alarm on a burst, or when the router found an instance down twice in a row."""
        burst, down_looks, well_at = Burst(), 0, time.monotonic()
        router, sight = Runtime(self._router), Sight("the router")
        with contextlib.closing(router), contextlib.closing(Answers(self._router)) as answers:
            while not guard.stopped.wait(LOOK_SECONDS):
                try:
                    servers, counts = router.stat(), answers.counts()
                except Transient as error:
                    sight.blind(guard, error)
                    continue
                sight.clear()
                problem = burst.add(time.monotonic(), counts[self._colour], counts[other(self._colour)])
                down = [one for one in servers if one.colour == self._colour and not one.is_up]
                well_at = well_at if down else time.monotonic()
                is_late = all(one.is_late for one in down) and time.monotonic() - well_at < self._late_seconds
                down_looks = 0 if is_late or not down else down_looks + 1
                if not problem and down_looks >= DOWN_LOOKS:
                    problem = f"the router finds {', '.join(map(_told, down))}"
                if problem:
                    guard.alarm(problem)

    def close(self) -> None:
        """Nothing waits here for long."""


class HealthSentinel:
    """Asks one instance for its health path, more often than the router does."""

    def __init__(self, router: Router, instance: Instance) -> None:
        self._instance = instance
        limit, host = instance.file.checked.timeout_seconds, instance.file.host
        self._http_probe = router.http_probe(instance.service, instance.server, limit, host)

    def watch(self, guard: Guard) -> None:
        """Raise an alarm when as many checks in a row failed as the service may."""
        health, failed, first_sign = self._instance.file.checked, 0, datetime.now(UTC)
        path, sight = str(health.path), Sight(f"the way to {self._instance.container.name}")
        while not guard.stopped.wait(health.interval_seconds / PER_INTERVAL):
            answer = self._http_probe.get(path)
            if not answer.status and not answer.timed_out:
                sight.blind(guard, "no connection to the router")
                continue  # the way through the router is broken: that says nothing of the instance
            sight.clear()
            if 200 <= answer.status < 300:
                failed = 0
                continue
            first_sign = first_sign if failed else datetime.now(UTC)
            failed += 1
            if failed >= health.failures:
                said = _said(answer, health.timeout_seconds)
                key = f"services.{self._instance.service}.health{'.timeout_seconds' if answer.timed_out else ''}"
                times = f", {failed} times in a row ({key})"
                guard.alarm(f"{self._instance.container.name} answers {said} at {path}{times}", first_sign)
        self._http_probe.close()

    def close(self) -> None:
        """Nothing waits here for long."""


def _said(answer: Answer, limit: float) -> str:
    if answer.timed_out:
        return f"nothing within {limit:g} s"
    return str(answer.status) if "x-headway-instance" in answer.headers else "no connection"


def _told(server: ServerStat) -> str:
    found = f" ({server.check}; services.{server.service}.health)" if server.check else ""
    return f"{server.service} {server.server} is {server.status}{found}"


def _log_of(instances: Sequence[Instance], container: str) -> str:
    for instance in instances:
        if instance.container.id == container:
            with contextlib.suppress(NotFound, APIError, requests.RequestException):
                return f"{instance.out_of_memory()}; the end of its log:\n{instance.last_lines()}"
    return ""
