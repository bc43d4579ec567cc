"""The agent of ECS: starts tasks that are written down, each in a thread of its own, and removes what is of none."""

import logging
import threading
import time
from wsgiref.types import WSGIApplication

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from local_aws.agents.ecs_containers import LABEL_TASK, ROLE, remove_all
from local_aws.agents.ecs_task import PASSING, TaskRun
from local_aws.agents.gateway import Gateway
from local_aws.faults import Faults
from local_aws.installation import current
from local_aws.operations import Asked
from local_aws.services.ecs import all_tasks
from local_aws.services.ecs_tasks import Task

SERVICE = "ecs-agent"
EVERY_SECONDS, SWEEP_SECONDS, END_SECONDS = 0.1, 5.0, 5.0
_log = logging.getLogger("local_aws.ecs")


class EcsAgent:
    """Compares the records of tasks with the containers on Docker for as long as the local AWS is up."""

    def __init__(self, app: WSGIApplication, faults: Faults) -> None:
        self._gateway, self._faults = Gateway(app), faults
        self._stopping = threading.Event()
        self._runs: dict[str, threading.Thread] = {}
        self._thread = threading.Thread(target=self._run, daemon=True, name="local-aws-ecs")

    def start(self) -> None:
        """Begin, or go on with what a former process began."""
        self._thread.start()

    def stop(self) -> None:
        """End; tasks that run go on, and whoever starts next finds them."""
        self._stopping.set()
        for thread in (self._thread, *self._runs.values()):
            thread.join(END_SECONDS)
        self._gateway.close()

    def _run(self) -> None:
        swept = 0.0
        while not self._stopping.is_set():
            tasks = [one for one in all_tasks() if not one.is_stopped]
            for task in tasks:
                if task.task_arn not in self._runs:
                    self._begin(task)
            if time.monotonic() > swept + SWEEP_SECONDS:
                self._sweep()
                swept = time.monotonic()
            self._stopping.wait(EVERY_SECONDS)

    def _begin(self, task: Task) -> None:
        run = TaskRun(task, self._gateway.open, self._fails, self._stopping)
        self._runs[task.task_arn] = threading.Thread(target=run.run, daemon=True, name=f"local-aws-task-{task.id}")
        self._runs[task.task_arn].start()

    def _fails(self, what: str, task: Task) -> bool:
        """Whether what the agent does is to fail; a fault that hangs makes it wait, unless the task is to stop."""
        fault = self._faults.take(Asked(SERVICE, task.region, what, "POST", "json"))
        if fault is None or fault.kind != "hang":
            return fault is not None
        deadline = time.monotonic() + fault.seconds
        while time.monotonic() < deadline and not task.shall_stop and not self._stopping.wait(EVERY_SECONDS):
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
            _log.debug("nothing was removed", exc_info=True)
