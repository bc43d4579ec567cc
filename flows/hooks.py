"""A team's own commands around what changes an environment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from delivery.errors import HeadwayError
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.hooks import HookMoment
from flows.report import outcome_of
from tasks.hooks import run_hook
from tasks.step import log


@asynccontextmanager
async def hooked(order: Order, environment: str, release: Release, sequence: int) -> AsyncIterator[None]:
    """Run the hooks before the body, and after it those of how it ended; Rejected when one of the first says no.

    What the hooks after it come to changes nothing of how it ended.
    """
    try:
        await _run(order, environment, release, sequence, "before_release")
        yield
    except BaseException as error:
        if isinstance(error, Exception | asyncio.CancelledError):
            await _run_after(order, environment, release, sequence, outcome_of(error), str(error))
        raise
    await _run_after(order, environment, release, sequence, "rolled-back" if order.goes_back else "delivered")


async def _run_after(
    order: Order, environment: str, release: Release, sequence: int, outcome: str, reason: str = ""
) -> None:
    moment: HookMoment = "after_failure" if reason or outcome == "interrupted" else "after_release"
    try:
        await _run(order, environment, release, sequence, moment, outcome, reason)
    except HeadwayError as error:
        log().warning("%s: not every hook was run: %s", environment, error)


async def _run(
    order: Order,
    environment: str,
    release: Release,
    sequence: int,
    moment: HookMoment,
    outcome: str = "",
    reason: str = "",
) -> None:
    for number, hook in enumerate(order.app.hooks.at(moment)):
        if hook.concerns(environment, goes_back=order.goes_back):
            await run_hook(order, environment, release, sequence, moment, number, hook, outcome, reason)
