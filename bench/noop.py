"""One delivery whose steps do nothing: what is left is the orchestration.

Run as a process of its own against the platform in HEADWAY_HOME, which is up: `python -m bench.noop PROJECT`. The
flow is the one of every delivery, with Prefect's server, the artifact store, leases and journal as they are; releases
run in memory, and what would be asked of a container engine is answered at once.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from cli.session import orchestrator

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


def main(project: str) -> int:
    """Deliver HEAD of `project` and print the run with when it began and ended."""
    orchestrator()  # sets the environment before anything imports Prefect
    from delivery.report.html import report_html
    from flows.deliver import deliver
    from tests.flows.fakes import Containers

    with pytest.MonkeyPatch.context() as patch:
        Containers().stand_in(patch)
        patch.setattr("tasks.report.report_html", report_html)  # the report is the orchestration's own
        began = time.time()
        state = asyncio.run(carry(lambda: deliver(project=project, return_state=True)))
        ended = time.time()
    print(
        json.dumps({"run": str(state.state_details.flow_run_id), "state": state.name, "began": began, "ended": ended})
    )
    return 0 if state.is_completed() else 1


async def carry(flow: Callable[[], Any]) -> "State[Any]":
    """Run a flow to its end and return the state it ended in."""
    return cast("State[Any]", await flow())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
