"""Leave nothing of a run behind."""

import shutil

from delivery.home import Home
from delivery.programs.run import stop_all
from tasks.services import open_services
from tasks.step import log, step


def stop_programs() -> None:
    """End the programs this process started, so that no step waits for them."""
    stop_all()


@step(timeout_seconds=120, retries=0, name="clean up", keep=False)
def remove_traces(run: str) -> None:
    """Remove what the run still has in containers, networks and volumes, and its sources; its logs stay."""
    home = Home.current()
    try:
        open_services().orphans.remove_run(run)
    except Exception as error:  # the sweep finds by its labels what could not be removed now
        log().warning("not everything of this run was removed: %s", error)
    shutil.rmtree(home.work / run / "source", ignore_errors=True)
