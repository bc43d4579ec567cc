"""A user's own Compose file as the environment of a cell."""

from delivery.containers.job import Job
from delivery.home import Home
from delivery.matrix import CellResult


def run_compose_cell(job: Job, *, home: Home, run_id: str, host: str | None = None) -> CellResult:
    """Run the cell in the environment its Compose file describes."""
    raise NotImplementedError
