"""`headway follow`: see a run through to its end, whoever started it."""

import signal
import time
from types import FrameType
from typing import Annotated, NoReturn

import typer

from cli.output import AsJson
from cli.session import reached


def follow(
    run: Annotated[str, typer.Argument(help="Its id; of a delivery or rollback, the beginning of it or the name.")],
    stop: Annotated[bool, typer.Option("--stop", help="An interrupt stops the run as well.")] = False,
    as_json: AsJson = False,
) -> int:
    """Print each step of a run as it ends, and end with its exit code.

    Where nothing of the platform runs, PREFECT_API_URL says where it is.
    """
    prefect = reached()
    from cli.ending import end
    from cli.follow import follow as follow_run
    from flows.run_search import named

    began, found = time.time(), named(run)
    # What runs CI jobs ends them so, some seconds before it kills them. Until here nobody would stop the run.
    signal.signal(signal.SIGTERM, interrupt_once)
    ended = follow_run(found.id, prefect, quiet=as_json, stops=stop)
    return end(ended, prefect, as_json=as_json, set_up_seconds=0, seconds_in_all=time.time() - began)


def interrupt_once(_: int, __: FrameType | None) -> NoReturn:
    """Interrupt what is done now; the next SIGTERM does nothing: the run is being stopped already."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
