"""A team's own commands around what changes an environment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from delivery.changes.hook_jobs import HookEvent
from delivery.errors import HeadwayError
from delivery.releases.order import Order
from delivery.releases.release import Release
from flows.report import outcome_of
from tasks.hooks import run_hook
from tasks.step import log


@asynccontextmanager
async def hooked(order: Order, environment: str, release: Release, sequence: int) -> AsyncIterator[None]:
    """Run the hooks before the body, and after it those of how it ended; Rejected when one of the first says no.

    What the hooks after it come to changes nothing of how it ended.
    """
    event = HookEvent(environment=environment, release=release, sequence=sequence)
    try:
        await _run(order, event)
        yield
    except BaseException as error:
        if isinstance(error, Exception | asyncio.CancelledError):
            await _run_after(order, event.ended(outcome_of(error), str(error)))
        raise
    await _run_after(order, event.ended("rolled-back" if order.goes_back else "delivered"))


async def _run_after(order: Order, event: HookEvent) -> None:
    try:
        await _run(order, event)
    except HeadwayError as error:
        log().warning("%s: not every hook was run: %s", event.environment, error)


async def _run(order: Order, event: HookEvent) -> None:
    for number, hook in enumerate(order.app.hooks.at(event.moment)):
        if hook.concerns(event.environment, goes_back=order.goes_back):
            await run_hook(order, event, number, hook)
