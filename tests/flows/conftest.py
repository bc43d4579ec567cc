"""Prefect's own server once for all tests here, and a platform in a folder for each of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from blocks.artifact_store import current_store
from blocks.registration import register_blocks
from blocks.registry import current_registry
from delivery.targets import memory
from tests.flows.fakes import Containers
from tests.flows.platform import Platform


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server with an empty database; yields the folder that results are kept in."""
    results = tmp_path_factory.mktemp("results")
    quick = {
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # a run's end waits for it otherwise
        PREFECT_LOCAL_STORAGE_PATH: results,
        PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1,
        PREFECT_CLIENT_MAX_RETRIES: 50,
    }
    with pytest.MonkeyPatch.context() as patch, temporary_settings(quick):
        # SQLite answers 503 when two write at once; the client waits two seconds before it tries again.
        patch.setattr("prefect.results._read_server_default_result_storage_block_id", lambda: None)  # leaks a socket
        patch.setattr("prefect.client.base.clamped_poisson_interval", lambda *_: 0.05)
        patch.setattr("prefect.task_engine.clamped_poisson_interval", lambda *_, **__: 0.0)  # steps retry at once
        with prefect_test_harness(server_startup_timeout=120):
            yield results


@pytest.fixture(scope="session")
def loop(server: Path) -> Iterator[asyncio.Runner]:
    """One event loop for all runs: Prefect keeps connections for as long as its loop lives."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> Containers:
    engine = Containers()
    engine.stand_in(monkeypatch)
    return engine


@pytest.fixture
def platform(
    server: Path, loop: asyncio.Runner, tmp_path: Path, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """A platform with one application, `shop`, that was never delivered."""
    monkeypatch.setenv("HEADWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(memory, "_PLACES", {})
    register_blocks(str(tmp_path / "home" / "store"), "registry:5000")
    for known in (current_store, current_registry):
        known.cache_clear()
    made = Platform(tmp_path, containers, loop)
    made.describe()
    yield made
    for known in (current_store, current_registry):
        known.cache_clear()
