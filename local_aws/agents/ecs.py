"""The agent of ECS: starts tasks that are written down, each in a thread of its own, and removes what is of none."""

import threading
import time
from wsgiref.types import WSGIApplication

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from local_aws.agents.agent import Agent, log
from local_aws.agents.ecs_containers import LABEL_TASK, ROLE, remove_all, stop_all
from local_aws.agents.ecs_task import PASSING, TaskRun
from local_aws.agents.gateway import Gateway
from local_aws.faults import Faults
from local_aws.installation import current
from local_aws.operations import Asked
from local_aws.services.ecs import all_tasks
from local_aws.services.ecs_tasks import Task

SERVICE = "ecs-agent"
EVERY_SECONDS, SWEEP_SECONDS, END_SECONDS = 0.1, 5.0, 5.0


class EcsAgent(Agent):
    """Compares the records of tasks with the containers on Docker for as long as the local AWS is up."""

    every_seconds = 0.1

    def __init__(self, app: WSGIApplication, faults: Faults) -> None:
        super().__init__("ecs")
        self._gateway, self._faults = Gateway(app), faults
        self._runs: dict[str, threading.Thread] = {}
        self._swept = 0.0

    def look(self) -> None:
        """Begin what is written down, or go on with what a former process began; remove what is of no task."""
        for task in all_tasks():
            if not task.is_stopped and task.task_arn not in self._runs:
                self._begin(task)
        if time.monotonic() > self._swept + SWEEP_SECONDS:
            self._sweep()
            self._swept = time.monotonic()

    def end(self) -> None:
        """Stop the containers; what became of them is told by whoever starts next."""
        super().end()
        for thread in list(self._runs.values()):
            thread.join(END_SECONDS)
        self._gateway.close()
        if any(not one.is_stopped for one in all_tasks()):
            stop_all()

    def _begin(self, task: Task) -> None:
        run = TaskRun(task, self._gateway.open, self._fails, self._ends)
        self._runs[task.task_arn] = threading.Thread(target=run.run, daemon=True, name=f"local-aws-task-{task.id}")
        self._runs[task.task_arn].start()

    def _fails(self, what: str, task: Task) -> bool:
        """Whether what the agent does is to fail; a fault that hangs makes it wait, unless the task is to stop."""
        fault = self._faults.take(Asked(SERVICE, task.region, f"{what} {task.definition.family}", "POST", "json"))
        if fault is None or fault.kind != "hang":
            return fault is not None
        deadline = time.monotonic() + fault.seconds
        while time.monotonic() < deadline and not task.shall_stop and not self._ends.wait(EVERY_SECONDS):
            pass
        return False

    def _sweep(self) -> None:
        """Remove the containers and volumes of tasks that are over, or that no record knows."""
        if not (current().home.root / "identity").exists():  # so there is nothing of it on Docker
            return
        self._runs = {arn: thread for arn, thread in self._runs.items() if thread.is_alive()}
        wanted = {one.task_arn for one in all_tasks() if not one.is_stopped} | set(self._runs)
        filters = {"label": [f"{LABEL_PLATFORM}={current().home.identity}", f"{LABEL_ROLE}={ROLE}"]}
        try:
            client = connect(patience_seconds=0)
            found = {one["Labels"][LABEL_TASK] for one in client.api.containers(all=True, filters=filters)}
            found |= {one.attrs["Labels"][LABEL_TASK] for one in client.volumes.list(filters=filters)}
            for arn in found - wanted:
                remove_all(arn)
        except PASSING:
            log.debug("nothing was removed", exc_info=True)
