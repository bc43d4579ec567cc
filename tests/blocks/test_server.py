"""The server's database under several writers at once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.settings.models.root import Settings

from blocks import server
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


SECOND_WRITER = """
import sqlite3, sys, time
from concurrent.futures import ThreadPoolExecutor
from blocks.server import collect_garbage_elsewhere

if sys.argv[2] == "elsewhere":
    collect_garbage_elsewhere(every_seconds=0.01)
first = sqlite3.connect(sys.argv[1], isolation_level=None)
second = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False, timeout=2)
first.executescript("pragma journal_mode = wal; create table t (n int)")
half_read = second.execute("values (1), (2)")
half_read.fetchone()
cycle = [half_read]
cycle.append(cycle)
del half_read
first.execute("begin immediate")
with ThreadPoolExecutor() as pool:
    waiting = pool.submit(second.execute, "begin immediate")
    time.sleep(0.2)  # the second writer waits for the first by now, and nothing tells so
    del cycle
    more = [[] for _ in range(10_000)]  # more than enough for a collection
    first.execute("commit")
    waiting.result()
print("both wrote")
"""


def second_writer(folder: Path, collected: str) -> subprocess.CompletedProcess[str]:
    """Let one writer wait for another while a cursor of the waiting one becomes garbage."""
    command = [sys.executable, "-c", SECOND_WRITER, str(folder / "server.db"), collected]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_garbage_of_a_waiting_writer_does_not_stop_the_one_before(tmp_path: Path) -> None:
    done = second_writer(tmp_path, "elsewhere")

    assert done.stdout == "both wrote\n", done.stderr


@pytest.mark.long
def test_as_python_collects_it_the_waiting_writer_is_refused(tmp_path: Path) -> None:
    done = second_writer(tmp_path, "here")

    # SQLite keeps one message for a connection; what two threads of it do at once decides which one is read: "database
    # is locked" or "not an error".
    assert "sqlite3.OperationalError" in done.stderr
    assert done.returncode == 1


POSTGRES = "postgresql+asyncpg://prefect:s3cret@database/prefect"
SQLITE = "sqlite+aiosqlite:////tmp/prefect.db"
PARTS = {"DRIVER": "postgresql+asyncpg", "HOST": "database", "USER": "prefect", "NAME": "prefect", "PASSWORD": "s3cret"}


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], bool]:
    """Make the server's app as it is told to by environment and profile; say whether Prefect's own was changed."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    monkeypatch.setattr(server, "get_current_settings", Settings)
    monkeypatch.setattr("prefect.server.api.server.create_app", lambda final: final)
    own = AioSqliteConfiguration.begin_transaction
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", own)
    collected: list[bool] = []
    monkeypatch.setattr(server, "collect_garbage_elsewhere", lambda: collected.append(True))

    def make() -> bool:
        server.create_app()
        changes = {AioSqliteConfiguration.begin_transaction is not own, bool(collected)}
        assert len(changes) == 1, "one of two changes was made"
        return changes.pop()

    return make


@pytest.mark.parametrize(
    "env",
    [
        {"PREFECT_SERVER_DATABASE_CONNECTION_URL": POSTGRES},
        {"PREFECT_API_DATABASE_CONNECTION_URL": POSTGRES},
        {f"PREFECT_SERVER_DATABASE_{name}": value for name, value in PARTS.items()},
    ],
    ids=["url", "its earlier name", "parts"],
)
def test_over_postgresql_the_server_is_prefects_own(
    env: dict[str, str], changed: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    assert not changed()


@pytest.mark.parametrize(("url", "expected"), [(POSTGRES, False), (SQLITE, True)])
def test_a_profile_names_the_database_too(
    url: str, expected: bool, changed: Callable[[], bool], tmp_path: Path
) -> None:
    text = f'active = "ours"\n[profiles.ours]\nPREFECT_SERVER_DATABASE_CONNECTION_URL = "{url}"\n'
    (tmp_path / "profiles.toml").write_text(text)

    assert changed() is expected


def test_without_a_word_about_it_the_database_is_sqlite_and_writers_wait(changed: Callable[[], bool]) -> None:
    assert changed()
