"""Hold the lease of an environment while changing it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from delivery.errors import Rejected, Transient
from delivery.lease import RENEW_SECONDS, Lease
from delivery.order import Order, environment_of
from tasks.lease import give_back, renew, take_lease


@asynccontextmanager
async def holding(order: Order, environment: str, reason: str) -> AsyncIterator[Lease]:
    """Take the environment's lease, renew it while the body runs, give it back afterwards.

    When the lease is lost, or a newer run asks for it, the body is cancelled and Rejected is raised.
    """
    policy = environment_of(order.app, environment).busy
    lease = await take_lease(order.app.app, environment, order.run, reason, policy)
    body = asyncio.current_task()
    assert body is not None
    ended: list[Rejected] = []

    async def keep() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await renew(lease)
            except Rejected as error:
                if not ended:
                    ended.append(error)
                    body.cancel()
            except Transient:
                continue  # the next round tries again, long before the lease ends

    keeper = asyncio.create_task(keep())
    try:
        yield lease
    except asyncio.CancelledError:
        if ended:
            body.uncancel()
            raise ended[0] from None
        raise
    finally:
        keeper.cancel()
        await give_back(lease)
