"""The Prefect server of one machine: API, services and UI over a SQLite file that many writers share."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

_begin = AioSqliteConfiguration.begin_transaction


def create_app() -> FastAPI:
    """Return Prefect's own app, in which transactions that may write wait for one another.

    A transaction that reads first and writes after somebody else has written is refused by SQLite at once, whatever
    its timeout (https://www.sqlite.org/rescode.html#busy_snapshot). Prefect answers 503 then and its client sleeps for
    two seconds: a delivery, whose steps report side by side, spent a third of its time so. Begun IMMEDIATE, the
    transaction waits for its turn, some milliseconds, instead.
    """
    from prefect.server.api.server import create_app as create_prefect_app

    AioSqliteConfiguration.begin_transaction = begin_immediate  # type: ignore[method-assign]
    return create_prefect_app(final=True)


@asynccontextmanager
async def begin_immediate(
    self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
) -> AsyncGenerator[AsyncSessionTransaction, None]:
    """Begin a transaction as one that will write."""
    async with _begin(self, session, with_for_update=True) as transaction:
        yield transaction
