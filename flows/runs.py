"""Runs as seen from outside: started, looked at, answered, cancelled."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
    LogFilterLevel,
)
from prefect.client.schemas.objects import FlowRun, Log, StateType, TaskRun
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling
from pydantic import Field

from delivery import progress
from delivery.changes.heartbeat import CRASHED
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.model import Model
from delivery.releases.run_names import app_of, requested_by, requester_in

DELIVERIES = ["deliver", "rollback"]
AFTER_CRASH = "next: headway status says when the environment is free; then headway run again"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
PAGE = 200  # what the server gives at most at a time
_OPEN: ContextVar[SyncPrefectClient | None] = ContextVar("open", default=None)


class StepView(Model):
    """One step of a run as the orchestrator knows it."""

    id: str
    name: str
    state: str
    kind: str = ""
    started: datetime | None = None
    seconds: float = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens in it: its state may have any name, like Cached or TimedOut."""
        return self.kind in ENDED

    @property
    def did_nothing(self) -> bool:
        """Whether its result was there already: an earlier attempt of the run had done it."""
        return self.state == "cached"


class RunView(Model):
    """One run as the orchestrator knows it."""

    id: str
    name: str
    flow: str = ""
    state: str
    kind: str
    message: str = ""
    requested_by: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    steps: tuple[StepView, ...] = ()
    warnings: tuple[str, ...] = Field((), description="what its steps warned of, in order")
    progress: tuple[str, ...] = Field((), description="what its long steps told while they ran, in order")

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens in it."""
        return self.kind in ENDED

    @property
    def app(self) -> str:
        """The application it is about, or nothing when its name does not tell."""
        return app_of(self.name)

    @property
    def waits(self) -> bool:
        """Whether it waits for a person."""
        return self.kind == "PAUSED"


def start(deployment: str, parameters: dict[str, Any], name: str, by: str = "") -> RunView:
    """Create a run of `deployment` (`deliver/local`) called `name`, as `prefect deployment run` does.

    `by` is who asked for it, kept as a tag of the run.
    """
    with connected() as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except ObjectNotFound as error:
            raise Misconfigured(f"deployment {deployment}", "is not registered", next_step="headway up") from error
        tags = [requested_by(by)] if by else None
        return view_of(client.create_flow_run_from_deployment(found.id, parameters=parameters, name=name, tags=tags))


def look(run: str, *, steps: bool = True) -> RunView:
    """Return the run with the steps of all its phases, in order of their start."""
    with connected() as client:
        found = client.read_flow_run(UUID(run))
        if not steps:
            return view_of(found)
        family = _family(client, found)
        tasks = (_step(task) for task in _tasks(client, family))
        return view_of(found, tuple(sorted(tasks, key=_start_of)), _told(client, family))


def question(run: str) -> str | None:
    """Return what a waiting run asks, as Markdown, or none when it does not wait, or not with its question yet."""
    with connected() as client:
        found = client.read_flow_run(UUID(run))
        keys = found.state.state_details.run_input_keyset if found.state else None
        if found.state_type != StateType.PAUSED or not keys:
            return None
        inputs = client.filter_flow_run_input(found.id, keys["description"], limit=1, exclude_keys=set())
        return str(json.loads(inputs[0].value)) if inputs else None


def answer(
    run: RunView, decision: Literal["approve", "reject"], approver: str, comment: str, destroy: str = ""
) -> None:
    """Answer the question a run waits with; Rejected when it does not wait, or the answer is not taken."""
    with connected() as client:
        given = {"decision": decision, "approver": approver, "comment": comment, "destroy": destroy}
        result = client.resume_flow_run(UUID(run.id), run_input=given)
    if result.status != SetStateStatus.ACCEPT:
        reason = getattr(result.details, "reason", None) or "it was not accepted"
        raise Rejected(f"{run.name} (run {run.id[:8]}, {run.state}): {reason}")


def cancel(run: str) -> None:
    """Ask the run to stop; whoever carries it cleans up."""
    with connected() as client:
        client.set_flow_run_state(UUID(run), Cancelling(message="interrupted by the user"))


@contextmanager
def one_connection() -> Iterator[None]:
    """Ask the server over one connection within; else each question opens its own, which costs more than the answer."""
    with get_client(sync_client=True) as client:
        token = _OPEN.set(client)
        try:
            yield
        finally:
            _OPEN.reset(token)


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """Yield a client; Transient when the server does not answer."""
    try:
        with _OPEN.get() or get_client(sync_client=True) as client:
            yield client
    except httpx.TransportError as error:
        raise Transient(f"the Prefect server does not answer: {error}") from error


def _family(client: SyncPrefectClient, run: FlowRun) -> list[UUID]:
    """Return the ids of a run and of all phases below it."""
    known, ahead = [run.id], [run.id]
    while ahead:
        parents = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=ahead))
        ahead = [child.id for child in client.read_flow_runs(flow_run_filter=parents, limit=PAGE)]
        known += ahead
    return known


def _told(client: SyncPrefectClient, family: list[UUID]) -> list[Log]:
    """Return what is said above mere information, in order; errors end a run and are told there."""
    wanted = LogFilter(
        flow_run_id=LogFilterFlowRunId(any_=family),
        level=LogFilterLevel(ge_=progress.LEVEL, le_=logging.WARNING),
    )
    found: list[Log] = []
    while True:
        page = client.read_logs(wanted, limit=PAGE, offset=len(found), sort=LogSort.TIMESTAMP_ASC)
        found += page
        if len(page) < PAGE:
            return found


def _tasks(client: SyncPrefectClient, known: list[UUID]) -> list[TaskRun]:
    found: list[TaskRun] = []
    of_family = FlowRunFilter(id=FlowRunFilterId(any_=known))
    while True:
        page = client.read_task_runs(flow_run_filter=of_family, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            break
    return [task for task in found if not task.state or not task.state.state_details.child_flow_run_id]


def view_of(run: FlowRun, steps: tuple[StepView, ...] = (), told: Sequence[Log] = ()) -> RunView:
    """Return what the server says of a run, with what was read of its steps and its log."""
    message = (run.state.message or "") if run.state else ""
    if run.state_type == StateType.CRASHED:
        message = f"{CRASHED}\n{message}\n  {AFTER_CRASH}"
    return RunView(
        id=str(run.id),
        name=run.name,
        state=run.state_name or "",
        kind=run.state_type.value if run.state_type else "",
        message=message,
        requested_by=requester_in(run.tags),
        started=run.start_time,
        ended=run.end_time,
        steps=steps,
        warnings=tuple(one.message for one in told if one.level >= logging.WARNING),
        progress=tuple(one.message for one in told if one.level < logging.WARNING),
    )


def _step(task: TaskRun) -> StepView:
    return StepView(
        id=str(task.id),
        name=task.name,
        state=(task.state_name or "pending").lower(),
        kind=task.state_type.value if task.state_type else "",
        started=task.start_time,
        seconds=task.estimated_run_time.total_seconds(),
    )


def _start_of(step: StepView) -> datetime:
    return step.started or datetime.max.replace(tzinfo=UTC)
