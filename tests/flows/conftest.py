"""The platform's server once for all tests here, and a platform in a folder for each of them."""

import asyncio
import functools
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_BLOCKS_REGISTER_ON_START,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL,
    PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION,
    PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED,
    PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED,
    PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED,
    PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED,
    get_current_settings,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from blocks import artifact_store
from blocks.artifact_store import current_store
from blocks.registration import register_blocks
from delivery.memory import behaviour
from delivery.platform.local_aws import variables
from delivery.platform.orchestrator import RESULTS_BLOCK, server_command
from tests.flows.fakes import Containers
from tests.flows.platform import Platform

QUICK = {
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # a run's end waits for it otherwise
    PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1,
    PREFECT_CLIENT_MAX_RETRIES: 50,
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
    # Nothing here reads what events are kept or waits for a schedule, and SQLite has one writer.
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED: False,
    PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED: False,
    PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED: False,
    # The blocks of a platform are registered below; to remember those of all packages imports all packages.
    PREFECT_API_BLOCKS_REGISTER_ON_START: False,
    PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION: False,
    PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK: RESULTS_BLOCK,
}


@pytest.fixture
def steps_are_kept() -> None:
    """The server keeps the steps of runs: that costs it a third of its time, so only where a test here reads them."""


@pytest.fixture
def automations_run() -> None:
    """The server acts on events: only where a test here waits for what comes of them."""


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A server with an empty database; yields the folder that results are kept in."""
    used = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    kept = {
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED: steps_are_kept.__name__ in used,
        PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED: automations_run.__name__ in used,
    }
    results = tmp_path_factory.mktemp("results")
    with (
        pytest.MonkeyPatch.context() as patch,
        temporary_settings({**QUICK, **kept, PREFECT_LOCAL_STORAGE_PATH: results / "of nobody"}),
    ):
        certificates = functools.cache(ssl.create_default_context)  # every client reads them: most of a test's time
        patch.setattr("ssl.create_default_context", certificates)
        patch.setattr("prefect.task_engine.clamped_poisson_interval", lambda *_, **__: 0.0)  # steps retry at once
        patch.setattr("prefect.server.api.server.SubprocessASGIServer._run_uvicorn_command", _run_server)
        with prefect_test_harness(server_startup_timeout=120):
            yield results


def _run_server(server: SubprocessASGIServer) -> "subprocess.Popen[bytes]":
    """Start the server that users have, in place of Prefect's."""
    assert server.port
    ours = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return subprocess.Popen(server_command(server.port), env=os.environ | ours | settings)


@pytest.fixture(scope="package")
def loop(server: Path) -> Iterator[asyncio.Runner]:
    """One event loop for all runs: Prefect keeps connections for as long as its loop lives."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="package")
def store_block(server: Path) -> UUID:
    """The blocks of a platform; every test points the store's at a folder of its own."""
    register_blocks(str(server / "unused"), "registry:5000", str(server))
    with get_client(sync_client=True) as client:
        return client.read_block_document_by_name(artifact_store.NAME, "headway-artifact-store").id


@contextmanager
def new_platform(root: Path, loop: asyncio.Runner, store_block: UUID) -> Iterator[Platform]:
    """A platform with one application, `shop`, that was never delivered."""
    containers, folder = Containers(), {"address": str(root / "home" / "store")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWAY_HOME", str(root / "home"))
        patch.setattr(behaviour, "_STATES", {})
        # A thread of the test before may open it after its run let go, and lease numbers are the same in every test.
        patch.setattr("tasks.environment._UNDER_CHANGE", {})
        containers.stand_in(patch)
        with get_client(sync_client=True) as client:
            client.update_block_document(store_block, BlockDocumentUpdate(data=folder))
        _forget_blocks()
        made = Platform(root, containers, loop)
        made.describe()
        yield made
    _forget_blocks()


@pytest.fixture(scope="package")
def make_platform(loop: asyncio.Runner, store_block: UUID) -> Callable[[Path], contextmanager]:
    return lambda root: new_platform(root, loop, store_block)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.long)])
def platform(
    request: pytest.FixtureRequest,
    make_platform: Callable[[Path], contextmanager],
    tmp_path: Path,
    store_block: UUID,
) -> Iterator[Platform]:
    """One that keeps its state in a folder; what holds for it is tried with a bucket as well, in the long series."""
    with make_platform(tmp_path) as made, pytest.MonkeyPatch.context() as patch:
        if request.param == "s3":
            for name in ("HEADWAY_STORE", *variables("")):
                patch.setenv(name, "")
            made.keep_in_s3(request.getfixturevalue("aws"), store_block)
        yield made


def _forget_blocks() -> None:
    current_store.cache_clear()
