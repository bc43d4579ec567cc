"""The Prefect server of one machine: API, services and UI; over SQLite many writers share its one file."""

import gc
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from threading import Thread

from fastapi import FastAPI
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.utilities.database import get_dialect
from prefect.settings import get_current_settings
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

_begin = AioSqliteConfiguration.begin_transaction
OLDEST_EVERY = 60  # of so many collections one is of all garbage, the others are of young garbage


def create_app() -> FastAPI:
    """Return Prefect's own app; over SQLite one in which transactions that may write wait for one another.

    Over PostgreSQL, which has many writers, nothing of it is changed. In SQLite a transaction that reads first and
    writes after somebody else has written is refused at once, whatever its timeout
    (https://www.sqlite.org/rescode.html#busy_snapshot). Prefect answers 503 then and its client sleeps for two
    seconds: a delivery, whose steps report side by side, spent a third of its time so. Begun IMMEDIATE, the
    transaction waits for its turn, some milliseconds, instead.
    """
    from prefect.server.api.server import create_app as create_prefect_app

    if is_over_sqlite():
        AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign]
        collect_garbage_elsewhere()
    return create_prefect_app(final=True)


def is_over_sqlite() -> bool:
    """Whether the database that environment or profile names is SQLite, as it is when they name none."""
    url = get_current_settings().server.database.connection_url
    return url is None or get_dialect(url.get_secret_value()).name == "sqlite"


def collect_garbage_elsewhere(*, every_seconds: float = 1.0) -> None:
    """Collect cyclic garbage in a thread of its own from now on.

    A cursor that is garbage waits for its connection's mutex as it goes (https://www.sqlite.org/c3ref/threadsafe.html),
    and the thread of that connection may be waiting, mutex in hand, for the writer before it: up to a minute. Collected
    in the thread of the event loop, which that writer needs to go on, the cursor stopped the whole server until then.
    """

    def collect() -> None:
        for number in itertools.count(1):
            time.sleep(every_seconds)
            gc.collect(2 if number % OLDEST_EVERY == 0 else 1)

    gc.disable()
    Thread(target=collect, name="garbage", daemon=True).start()


@asynccontextmanager
async def begin_immediate(
    self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
) -> AsyncGenerator[AsyncSessionTransaction, None]:
    """Begin a transaction as one that will write."""
    async with _begin(self, session, with_for_update=True) as transaction:
        yield transaction
