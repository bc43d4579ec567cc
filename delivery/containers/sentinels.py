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

from delivery.containers.instances import Instance
from delivery.containers.metrics import Answers
from delivery.containers.router import Router, Runtime
from delivery.containers.serving import fault_of
from delivery.errors import Transient
from delivery.guard import Burst, Guard
from delivery.target import Colour, other

LOOK_SECONDS = 0.1
RECONNECT_SECONDS = 0.5
PROBE_SECONDS = 1.0  # no answer to a health check for so long is a failed one
FAILED_IN_A_ROW = 2  # a single look may fall into the moment in which the router learns an address


class EngineSentinel:
    """Listens to the engine: a container of the release that ends is a fault, whatever ends it."""

    def __init__(self, client: DockerClient, instances: Sequence[Instance]) -> None:
        self._client, self._instances = client, instances
        self._events: Any = None

    def watch(self, guard: Guard) -> None:
        """Raise an alarm when a container ends or was started again."""
        names = {one.container.id: str(one.container.name) for one in self._instances}
        filters = {"event": ["die", "oom"], "container": list(names)}
        while not guard.stopped.is_set():
            try:
                self._events = self._client.events(decode=True, filters=filters)
                if guard.stopped.is_set():  # closed before there was anything to close
                    self.close()
                if fault := fault_of(self._instances):  # what happened before anybody listened
                    guard.alarm(fault)
                for event in self._events:
                    code = event["Actor"]["Attributes"].get("exitCode", "none")
                    name = names.get(event["id"], event["id"])
                    log = functools.partial(_log_of, self._instances, event["id"])
                    how = f"ended with exit code {code}" if event["Action"] == "die" else "lost a process"
                    guard.alarm(f"{name} {how}", details=log)
            except (requests.RequestException, DockerException, OSError, ValueError, AttributeError):
                pass  # the engine is away, or this was closed
            guard.stopped.wait(RECONNECT_SECONDS)

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(Exception):  # the stream may be in any state
            self._events.close()


class RouterSentinel:
    """Listens to the router: a burst of failed requests or a server that is down is a fault."""

    def __init__(self, router: Router, colour: Colour) -> None:
        self._router, self._colour = router, colour

    def watch(self, guard: Guard) -> None:
        """Raise an alarm on a burst, or when the router found an instance down twice in a row."""
        burst, down_looks = Burst(), 0
        router = Runtime(self._router)
        with contextlib.closing(router), contextlib.closing(Answers(self._router)) as answers:
            while not guard.stopped.wait(LOOK_SECONDS):
                try:
                    servers = router.stat()
                except Transient:
                    continue
                counts = answers.counts()
                problem = burst.add(time.monotonic(), counts[self._colour], counts[other(self._colour)])
                down = [one for one in servers if one.colour == self._colour and not one.is_up]
                down_looks = down_looks + 1 if down else 0
                if not problem and down_looks >= FAILED_IN_A_ROW:
                    problem = f"the router finds {', '.join(f'{d.service} {d.server} is {d.status}' for d in down)}"
                if problem:
                    guard.alarm(problem)

    def close(self) -> None:
        """Nothing waits here for long."""


class HealthSentinel:
    """Asks one instance for its health path, more often than the router does."""

    def __init__(self, router: Router, instance: Instance) -> None:
        self._instance = instance
        self._visitor = router.visitor(instance.service, instance.server, PROBE_SECONDS)

    def watch(self, guard: Guard) -> None:
        """Raise an alarm when two checks in a row failed."""
        path, failed, first_sign = str(self._instance.file.health), 0, datetime.now(UTC)
        while not guard.stopped.wait(LOOK_SECONDS):
            answer = self._visitor.get(path)
            if not answer.status and not answer.timed_out:
                continue  # the way through the router is broken: that says nothing of the instance
            if 200 <= answer.status < 300:
                failed = 0
                continue
            first_sign = first_sign if failed else datetime.now(UTC)
            failed += 1
            if failed >= FAILED_IN_A_ROW:
                said = answer.status or f"nothing within {PROBE_SECONDS:g} s"
                guard.alarm(f"{self._instance.container.name} answers {said} at {path}", first_sign)
        self._visitor.close()

    def close(self) -> None:
        """Nothing waits here for long."""


def _log_of(instances: Sequence[Instance], container: str) -> str:
    for instance in instances:
        if instance.container.id == container:
            with contextlib.suppress(NotFound, APIError, requests.RequestException):
                return f"{instance.out_of_memory()}; the end of its log:\n{instance.last_lines()}"
    return ""
