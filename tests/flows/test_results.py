"""What steps returned is found by whoever carries the run on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prefect.filesystems import LocalFileSystem
from prefect.settings import get_current_settings

from blocks.registration import RESULTS
from delivery.home import Home
from delivery.platform.orchestrator import RESULTS_BLOCK, RESULTS_FOLDER_SETTING, RESULTS_SETTING, Orchestrator
from tests.flows import counted
from tests.flows.counted import count_once

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
    print(state.name, await state.aresult())

asyncio.run(carry(sys.argv[1]))
"""


def test_another_worker_with_folders_of_its_own_finds_what_steps_returned(platform, server, tmp_path):
    seen = tmp_path / "seen"
    run = platform.create_deployed(count_once, {"seen": str(seen)})
    first = platform.carry(count_once, run)
    platform.retry(run)

    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    settings |= {"PREFECT_HOME": str(tmp_path / "b"), "PREFECT_LOCAL_STORAGE_PATH": str(tmp_path / "b" / "storage")}
    another = Orchestrator(Home(tmp_path / "another", shared=tmp_path / "shared"))
    settings[RESULTS_SETTING] = another.environment()[RESULTS_SETTING]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CARRY, run],
        env=os.environ | settings | {"PYTHONPATH": str(Path(counted.__file__).parents[2])},
        capture_output=True,
        text=True,
    )

    assert first.ended[0] == "Failed"
    assert done.stdout.split() == ["Completed", "1"], done.stderr[-3000:]
    assert seen.read_text() == "1"
    assert not (server / "of nobody").exists()


def test_a_platform_names_its_storage_and_so_does_every_deployment():
    file = Path(counted.__file__).parents[2] / "deployments.yaml"
    pools = [deployment["work_pool"] for deployment in yaml.safe_load(file.read_text())["deployments"]]

    assert f"{LocalFileSystem.get_block_type_slug()}/{RESULTS}" == RESULTS_BLOCK
    for setting in (RESULTS_SETTING, RESULTS_FOLDER_SETTING):
        assert {pool["job_variables"]["env"][setting] for pool in pools} == {f"{{{{ ${setting} }}}}"}
