"""One task, from its record to its end: its containers made, started in order, watched, stopped, told of, removed."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import requests
import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import APIError, DockerException
from docker.models.containers import Container

from delivery.errors import HeadwayError, Misconfigured
from local_aws.agents.agent import log
from local_aws.agents.ecs_containers import (
    GONE,
    LABEL_DIGEST,
    address_of,
    create_container,
    create_pause,
    find_containers,
    phase_in_words,
    remove_all,
    signal,
    state_of,
)
from local_aws.agents.ecs_logs import Shipping, make_stream, stream_of
from local_aws.agents.ecs_order import NEVER_RAN, State, may_start, never_starts, to_stop_first
from local_aws.agents.ecs_secrets import Unresolved, resolve
from local_aws.agents.images import CANNOT_PULL, CannotPull, image_for
from local_aws.faults import NO_CAPACITY
from local_aws.own_client import own_client
from local_aws.services.ecs import all_tasks
from local_aws.services.ecs_tasks import ESSENTIAL_EXITED, HEALTH, PAUSE, STATES, Task

EVERY_SECONDS, AGAIN_SECONDS = 0.2, 1.0
STOP_SECONDS = 30
NOT_STARTED = "Task failed to start"
PROVISIONING, PENDING = STATES[:2]
PASSING = (
    DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    HeadwayError,
    ClientError,
    BotoCoreError,
)


class Ended(Exception):
    """A task that cannot start; the text is its `stoppedReason`."""


class TaskRun:
    """What is done for one task; everything it knows it finds again in Docker and in the record."""

    def __init__(
        self, task: Task, open_gateway: Callable[[], str], fails: Callable[[str, Task], bool], stopping: threading.Event
    ) -> None:
        self.task, self._open_gateway, self._fails, self._stopping = task, open_gateway, fails, stopping
        self._definitions = {one["name"]: one for one in task.containers()}
        self._containers: dict[str, Container] = {}
        self._shipping: dict[str, Shipping] = {}
        self._shipped = set[str]()
        self._deadlines: dict[str, float] = {}
        self._is_prepared = False

    def run(self) -> None:
        """Bring the task to its end, or leave it as it is when the local AWS ends."""
        while not self._stopping.is_set():
            seconds = EVERY_SECONDS
            try:
                if self._step():
                    return
            except Exception:  # whatever it is, the next look begins with what there is
                if self._stopping.is_set() or not any(one is self.task for one in all_tasks()):
                    return
                log.warning("task %s: tried again", self.task.id, exc_info=True)
                seconds = AGAIN_SECONDS
            self._stopping.wait(seconds)

    def _step(self) -> bool:
        """Do what is next; whether nothing is left to do."""
        if self.task.is_stopped:
            self._remove()
            return True
        if not self._is_prepared:
            try:
                self._prepare()
            except (Ended, Unresolved, CannotPull) as end:
                self._end(str(end))
                return True
            except Misconfigured as error:  # no engine that this user may use
                self._end(f"ResourceInitializationError: {error.where}: {error.found}")
                return True
            self._is_prepared = not self._stopping.is_set()
        return self._is_prepared and self._look()

    def _prepare(self) -> None:
        """Make every container, so that none of them needs anything later; those that are there stay."""
        is_new = self.task.told["lastStatus"] == PROVISIONING
        if is_new and self._fails("place", self.task):
            raise Ended(NO_CAPACITY)
        if self._stopping.is_set():
            return
        if is_new and self.task.shall_stop:  # before anything of it was made
            raise Ended(self.task.told["stoppedReason"])
        self._containers = find_containers(self.task.task_arn)
        has_begun = (
            self.task.told["lastStatus"] not in (PROVISIONING, PENDING)
            or any(one["lastStatus"] != "PENDING" for one in self.task.told["containers"])
            or any(state_of(one).phase != "created" for name, one in self._containers.items() if name != PAUSE)
        )
        gateway, pause = self._open_gateway(), self._containers.get(PAUSE)
        if has_begun or self.task.shall_stop:
            if pause is not None and not self.task.shall_stop:
                pause.start()  # it may have ended with the engine, and others may still be to start
            return
        if pause is None:
            remove_all(self.task.task_arn)
            pause, self._containers = create_pause(self.task, gateway), {}
        pause.start()
        attached = {"containerName": PAUSE, "networkBindings": [{"bindIP": address_of(pause)}]}
        self._tell(status=PENDING, containers=[attached])
        self._create(pause)

    def _create(self, pause: Container) -> None:
        account, region = self.task.account, self.task.region
        secrets = {name: resolve(one, account, region) for name, one in self._definitions.items()}
        for one in self._definitions.values():
            stream = stream_of(one, account, region, self.task.id)
            if stream and (trouble := make_stream(stream, one)):
                raise Ended(trouble)
        self._tell(pullStartedAt=datetime.now(UTC))
        if self._fails("pull", self.task):
            raise CannotPull(f"{CANNOT_PULL}: as was asked for")
        images = {one["image"]: image_for(one["image"], account, region) for one in self._definitions.values()}
        self._tell(pullStoppedAt=datetime.now(UTC))
        for name, one in self._definitions.items():
            if name not in self._containers and not self.task.shall_stop:
                self._containers[name] = create_container(self.task, one, images[one["image"]], secrets[name], pause)

    def _look(self) -> bool:
        """Start, stop and tell what is due; whether the task is over."""
        states = self._states()
        reason = self._why_it_ends(states)
        if not reason:
            for name, state in states.items():
                if state.phase == "created" and may_start(self._definitions[name], states):
                    self._start(name)
            states = self._states()
            reason = self._why_it_ends(states)
        self._ship(states)
        if all(one.phase != "created" for one in states.values()) and not self.task.shall_stop:
            self._report("RUNNING", states)
        if not reason:
            self._report(PENDING, states)
            return False
        states = {name: State("stopped") if one.phase == "created" else one for name, one in states.items()}
        self._report("STOPPING", states, reason)
        if running := [name for name, one in states.items() if one.phase == "running"]:
            self._stop(running)
            return False
        if self._shipped != set(self._shipping):
            return False
        self._report("STOPPED", states, reason)
        self._remove()
        return True

    def _states(self) -> dict[str, State]:
        """Return what there is of each container; one that can never start any more counts as stopped."""
        gone = State("created") if self.task.shall_stop else GONE  # who is stopped early has not everything made
        states = {
            name: state_of(self._containers[name]) if name in self._containers else gone for name in self._definitions
        }
        for _ in states:  # one that never starts keeps others from it
            for name, state in states.items():
                if state.phase == "created" and (
                    why := never_starts(self._definitions[name], states, self._definitions)
                ):
                    states[name] = State("stopped", NEVER_RAN, why)
        return states

    def _why_it_ends(self, states: dict[str, State]) -> str:
        if self.task.shall_stop:
            return str(self.task.told["stoppedReason"])
        ended = [
            state
            for name, state in states.items()
            if state.phase == "stopped" and self._definitions[name].get("essential", True)
        ]
        if not ended:
            return ""
        return NOT_STARTED if all(one.exit_code is None for one in ended) else ESSENTIAL_EXITED

    def _start(self, name: str) -> None:
        try:
            self._containers[name].start()
        except APIError as error:  # the engine keeps why, and it is read there
            log.info("task %s: %s did not start: %s", self.task.id, name, error)

    def _stop(self, running: list[str]) -> None:
        """Let containers end, those first that others do not need, and kill whoever takes longer than it may."""
        for name in to_stop_first(running, self._definitions):
            if name not in self._deadlines:
                self._deadlines[name] = time.monotonic() + self._definitions[name].get("stopTimeout", STOP_SECONDS)
                signal(self._containers[name])
            elif time.monotonic() > self._deadlines[name]:
                signal(self._containers[name], "SIGKILL")

    def _ship(self, states: dict[str, State]) -> None:
        """Carry on what containers print; `_shipped` are those of which nothing is left."""
        for name, state in states.items():
            stream = stream_of(self._definitions[name], self.task.account, self.task.region, self.task.id)
            container = self._containers.get(name)
            if stream is None or container is None or state.phase == "created":
                continue
            if not state.runtime_id:  # it is gone, and what it printed with it
                self._shipped |= {name} & set(self._shipping)
                continue
            shipping = self._shipping.setdefault(name, Shipping(container, stream))
            if state.phase == "running":
                shipping.flush()
            elif name not in self._shipped and shipping.finish():
                self._shipped.add(name)

    def _report(self, status: str, states: dict[str, State], reason: str = "") -> None:
        """Tell the record what it does not know yet; a container has stopped when all that it printed is there."""
        told = {one["name"]: one for one in self.task.told["containers"]}
        changes, health = [], []
        for name, state in states.items():
            if state.phase == "stopped" and name in self._shipping and name not in self._shipped:
                continue
            change = self._change(name, state)
            known = {"status": told[name]["lastStatus"], **told[name]}
            if any(known.get(key) != value for key, value in change.items()) and told[name]["lastStatus"] != "STOPPED":
                changes.append({"containerName": name, **change})
            if state.health != told[name]["healthStatus"] and state.phase == "running":
                health.append({"containerName": name, "managedAgentName": HEALTH, "status": state.health})
        is_news = STATES.index(status) > STATES.index(self.task.told["lastStatus"])
        if changes or health or is_news:
            self._tell(status=status, reason=reason, containers=changes, managedAgents=health)

    def _change(self, name: str, state: State) -> dict[str, Any]:
        container = self._containers.get(name)
        found = {
            "status": phase_in_words(state.phase),
            "exitCode": state.exit_code,
            "reason": state.reason or None,
            "runtimeId": state.runtime_id or None,
            "imageDigest": container.labels.get(LABEL_DIGEST) if container else None,
        }
        return {key: value for key, value in found.items() if value is not None}

    def _end(self, reason: str) -> None:
        """End a task that cannot start."""
        stopped = [
            {"containerName": name, "status": "STOPPED"}
            | ({"reason": reason} if reason.startswith(CANNOT_PULL) else {})
            for name in self._definitions
        ]
        self._tell(status="STOPPED", reason=reason, containers=stopped)
        self._remove()

    def _remove(self) -> None:
        with suppress(*PASSING):  # what is left is swept
            remove_all(self.task.task_arn)

    def _tell(self, **change: Any) -> None:
        named = {"cluster": self.task.told["clusterArn"], "task": self.task.task_arn}
        own_client("ecs", self.task.account, self.task.region).submit_task_state_change(**named, **change)
