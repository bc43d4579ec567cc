"""Suites against a running environment."""

from delivery.errors import Misconfigured, Rejected
from delivery.ports.cells import CellResult
from delivery.ports.jobs import Jobs
from delivery.testing.cell_run import CellRun

NAME = "acceptance"


def accept(jobs: Jobs, run: CellRun, base_url: str) -> CellResult:
    """Run all of a suite beside the environment and return what came out; BASE_URL tells it where to ask."""
    try:
        tool = run.tool({}, jobs.image_defaults(run.suite_image))
        ended = jobs.run(run.job(NAME, run.suite_image, tool, {"BASE_URL": base_url}))
    except (Rejected, Misconfigured) as error:
        return run.not_run(str(error))
    return run.ended(ended, tool)
