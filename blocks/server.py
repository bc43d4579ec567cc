"""The Prefect server of one machine: API, services and UI over a SQLite file that many writers share."""

import gc
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from threading import Thread

from fastapi import FastAPI
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

_begin = AioSqliteConfiguration.begin_transaction
OLDEST_EVERY = 60  # how many collections of young garbage come before one of all


def create_app() -> FastAPI:
    """Return Prefect's own app, in which transactions that may write wait for one another.

    A transaction that reads first and writes after somebody else has written is refused by SQLite at once, whatever
    its timeout (https://www.sqlite.org/rescode.html#busy_snapshot). Prefect answers 503 then and its client sleeps for
    two seconds: a delivery, whose steps report side by side, spent a third of its time so. Begun IMMEDIATE, the
    transaction waits for its turn, some milliseconds, instead.
    """
    from prefect.server.api.server import create_app as create_prefect_app

    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign]
    collect_garbage_elsewhere()
    return create_prefect_app(final=True)


def collect_garbage_elsewhere(*, every_seconds: float = 1.0) -> Thread:
    """Collect cyclic garbage in a thread of its own from now on, and return that thread.

    A cursor that is garbage waits for its connection's mutex as it goes (https://www.sqlite.org/c3ref/threadsafe.html),
    and the thread of that connection may be waiting, mutex in hand, for the writer before it: up to a minute. Collected
    in the thread of the event loop, which that writer needs to go on, the cursor stopped the whole server until then.
    """

    def collect() -> None:
        rounds = 0
        while True:
            time.sleep(every_seconds)
            rounds += 1
            gc.collect(2 if rounds % OLDEST_EVERY == 0 else 1)

    gc.disable()
    collector = Thread(target=collect, name="garbage", daemon=True)
    collector.start()
    return collector


@asynccontextmanager
async def begin_immediate(
    self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
) -> AsyncGenerator[AsyncSessionTransaction, None]:
    """Begin a transaction as one that will write."""
    async with _begin(self, session, with_for_update=True) as transaction:
        yield transaction
