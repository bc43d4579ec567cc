"""Hold the lease of an environment while changing it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from delivery.changes.lease import LEASE_SECONDS, RENEW_SECONDS, Lease
from delivery.errors import Rejected
from delivery.releases.order import Order
from delivery.spec.app import environment_of
from flows.announcing import announced_change
from tasks.environment import let_go
from tasks.lease import give_back, renew, take_lease
from tasks.recover import end_earlier_change


@asynccontextmanager
async def holding(order: Order, environment: str, reason: str) -> AsyncIterator[Lease]:
    """Take the environment's lease, renew it while the body runs, give it back afterwards.

    What an earlier holder left half done is ended first. When the lease is lost, or a newer run asks for it, the body
    is cancelled and Rejected is raised.
    """
    policy = environment_of(order.app, environment).busy
    lease = await take_lease(order.app.app, environment, order.run, reason, policy, order.steal, order.name)
    body = asyncio.current_task()
    assert body is not None
    ended: list[Rejected] = []

    def stop(error: Rejected) -> None:
        if not ended:
            ended.append(error)
            body.cancel()

    keeper = asyncio.create_task(_keep(lease, stop))
    with announced_change(order, environment):
        try:
            await end_earlier_change(order, environment, lease)
            yield lease
        except asyncio.CancelledError:
            if ended:
                body.uncancel()
                raise ended[0] from None
            raise
        finally:
            keeper.cancel()
            await asyncio.to_thread(let_go, lease)
            await give_back(lease)


async def _keep(lease: Lease, stop: Callable[[Rejected], None]) -> None:
    """Renew the lease again and again; `stop` with the reason when it is lost, or was not renewed for too long."""
    heard = time.monotonic()
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await renew(lease)
            heard = time.monotonic()
        except Rejected as error:
            stop(error)
        except Exception as error:  # the next round tries again, long before the lease ends
            if time.monotonic() - heard > LEASE_SECONDS:
                stop(Rejected(f"the lease ran out: {error}"))
