"""What the rooms below the flows warn of reaches the person who follows the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import get_current_settings

from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from flows import runs

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

RUN = """
import asyncio, logging, sys
from prefect import flow
from delivery.progress import LEVEL
from tasks.step import log, step
from prefect.runtime import flow_run

@step(timeout_seconds=30)
def look() -> None:
    logging.getLogger("headway.builder").warning("node:22-alpine: a stand-in takes its place; it lacks apk")
    log().log(LEVEL, "web: [2/3] RUN npm ci (20 s since it began)")

@flow
async def look_once() -> str:
    await look()
    return flow_run.id

if __name__ == "__main__":
    logging.getLogger("headway.builder").warning("nobody's run")
    print(asyncio.run(look_once()))
"""


@pytest.mark.long
def test_a_stand_in_and_a_long_build_are_told_where_the_run_is_followed(platform, tmp_path):
    ours = Orchestrator(Home(tmp_path / "another")).environment()
    logging = {name: value for name, value in ours.items() if name.startswith("PREFECT_LOGGING_")}
    server = get_current_settings().to_environment_variables(exclude_unset=True)
    script = tmp_path / "run.py"
    script.write_text(RUN)

    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=os.environ | server | logging | {"PYTHONPATH": str(Path(runs.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )

    [run] = done.stdout.split()
    assert runs.look(run).warnings == ("node:22-alpine: a stand-in takes its place; it lacks apk",)
    assert runs.look(run).progress == ("web: [2/3] RUN npm ci (20 s since it began)",)
