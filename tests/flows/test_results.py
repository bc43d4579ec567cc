"""What steps returned is found by whoever carries the run on."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.filesystems import LocalFileSystem
from prefect.settings import get_current_settings
from prefect_aws import S3Bucket

from blocks.registration import RESULTS, keep_results
from delivery.home import Home
from delivery.platform.local_aws import variables
from delivery.platform.orchestrator import (
    RESULTS_BLOCK,
    RESULTS_FOLDER_SETTING,
    RESULTS_IN_S3,
    RESULTS_SETTING,
    Orchestrator,
)
from tests.flows import counted
from tests.flows.counted import count_once
from tests.support.local_aws import Server

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

CARRY = """
import asyncio, sys
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from tests.flows.counted import count_once

async def carry(run):
    async with get_client() as client:
        found = await client.read_flow_run(run)
    state = await run_flow(count_once, flow_run=found, parameters=found.parameters, return_type="state")
    print(state.name, *([await state.aresult()] if state.is_completed() else []))

asyncio.run(carry(sys.argv[1]))
"""


@pytest.fixture
def bucket(aws: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """One that results are kept in while the test runs."""
    name = f"results-{uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=name)
    for key, value in variables(aws.url).items():
        monkeypatch.setenv(key, value)
    keep_results(f"s3://{name}/team/results")
    return name


def carried_by(worker: Path, run: str, shared: dict[str, Any]) -> list[str]:
    """Carry a run in a process with folders of its own, and return what came of it."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    settings |= {"PREFECT_HOME": str(worker), "PREFECT_LOCAL_STORAGE_PATH": str(worker / "storage")}
    settings[RESULTS_SETTING] = Orchestrator(Home(worker / "home", **shared)).environment()[RESULTS_SETTING]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CARRY, run],
        env=os.environ | settings | {"PYTHONPATH": str(Path(counted.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


@pytest.mark.parametrize("where", ["folder", pytest.param("bucket", marks=pytest.mark.long)])
def test_another_worker_with_folders_of_its_own_finds_what_steps_returned(where, platform, server, tmp_path, request):
    bucket = request.getfixturevalue("bucket") if where == "bucket" else None
    shared = {"bucket": f"s3://{bucket}/team"} if bucket else {"shared": tmp_path / "shared"}
    seen = tmp_path / "seen"
    run = platform.create_deployed(count_once, {"seen": str(seen)})

    first = carried_by(tmp_path / "a", run, shared)
    platform.retry(run)
    second = carried_by(tmp_path / "b", run, shared)

    assert (first, second) == (["Failed"], ["Completed", "1"])
    assert seen.read_text() == "1"
    assert not (server / "of nobody").exists()
    if bucket:
        client = request.getfixturevalue("aws").client("s3")
        kept = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
        assert {key.rpartition("/")[0] for key in kept} == {"team/results"}


def test_a_platform_names_its_storage_and_so_does_every_deployment():
    file = Path(counted.__file__).parents[2] / "deployments.yaml"
    pools = [deployment["work_pool"] for deployment in yaml.safe_load(file.read_text())["deployments"]]

    assert f"{LocalFileSystem.get_block_type_slug()}/{RESULTS}" == RESULTS_BLOCK
    assert f"{S3Bucket.get_block_type_slug()}/{RESULTS}" == RESULTS_IN_S3
    for setting in (RESULTS_SETTING, RESULTS_FOLDER_SETTING):
        assert {pool["job_variables"]["env"][setting] for pool in pools} == {f"{{{{ ${setting} }}}}"}
