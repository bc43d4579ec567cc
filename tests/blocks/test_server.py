"""The server's database under several writers at once."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration

from blocks.server import begin_immediate

Begin = Callable[..., Any]


async def read_then_write_beside_another(folder: Path, begin: Begin) -> int:
    """Read, let somebody else begin to write, then write; return how many rows were written in the end."""
    database = AioSqliteConfiguration(connection_url=f"sqlite+aiosqlite:///{folder / 'server.db'}")
    engine = await database.engine()

    async def write(*, reading: asyncio.Event | None = None, after: asyncio.Event | None = None) -> None:
        async with await database.session(engine) as session, begin(database, session):
            await session.execute(sa.text("select count(*) from t"))
            if reading and after:
                reading.set()
                await asyncio.wait([asyncio.ensure_future(after.wait())], timeout=0.3)
            await session.execute(sa.text("insert into t values (1)"))

    async def write_second(reading: asyncio.Event, done: asyncio.Event) -> None:
        await reading.wait()
        await write()
        done.set()

    async with engine.begin() as connection:
        await connection.execute(sa.text("create table t (n int)"))
    reading, done = asyncio.Event(), asyncio.Event()
    try:
        await asyncio.gather(write(reading=reading, after=done), write_second(reading, done))
        async with await database.session(engine) as session:
            return int((await session.execute(sa.text("select count(*) from t"))).scalar_one())
    finally:
        await engine.dispose()


def test_two_writers_wait_for_each_other(tmp_path: Path) -> None:
    assert asyncio.run(read_then_write_beside_another(tmp_path, begin_immediate)) == 2


def test_as_prefect_begins_it_one_of_two_writers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sa.exc.OperationalError, match="locked"):
        asyncio.run(read_then_write_beside_another(tmp_path, AioSqliteConfiguration.begin_transaction))
