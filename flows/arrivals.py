"""What comes of what arrived: a delivery, an examination, a rollback, or nothing and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from delivery.hooks.arrival import Arrival
from flows.ending import ends_in_words
from tasks.alarms import plan_rollback
from tasks.arrivals import plan_arrival, start_delivery, start_run
from tasks.heartbeat import enter, leave


@flow(name="push", flow_run_name="{arrival.kind} {arrival.name} of {arrival.connection}", persist_result=False)
@ends_in_words
async def take_push(arrival: Arrival) -> State[Any]:
    """Start what headway.yaml says of a push, a tag, a release, a workflow's end or a pull request.

    Ends Skipped, with the reason, where nothing is started.
    """
    with _attended(str(flow_run.id)):
        while True:
            plan = await plan_arrival(arrival)
            if not plan.deployment:
                return Completed(name="Skipped", message=plan.reason)
            if not plan.environment:
                return Completed(message=f"{plan.reason}: {plan.name}, run {await start_run(arrival, plan)}")
            if started := await start_delivery(arrival, plan):
                skipped = f"; skipped: {', '.join(started.skipped)}" if started.skipped else ""
                return Completed(message=f"{plan.reason}: {plan.name}, run {started.run}{skipped}")


@flow(name="alarm", flow_run_name="alarm {arrival.subject} of {arrival.connection}", persist_result=False)
@ends_in_words
async def take_alarm(arrival: Arrival) -> State[Any]:
    """Put the release before live again when an alarm went off soon after a release.

    Ends Skipped, with the reason, where it does not.
    """
    with _attended(str(flow_run.id)):
        plan = await plan_rollback(arrival)
        if not plan.deployment:
            return Completed(name="Skipped", message=plan.reason)
        return Completed(message=f"{plan.reason}: {plan.name}, run {await start_run(arrival, plan)}")


@contextmanager
def _attended(run: str) -> Iterator[None]:
    """Have somebody look after the run when its process dies inside."""
    enter(run)
    try:
        yield
    finally:
        leave(run)
