"""Phase 9: every run, however it ends, leaves a report and nothing else."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from prefect.exceptions import Pause

from delivery.errors import HeadwayError, Interrupted, Misconfigured, NotNeeded, ReleaseUnhealthy
from delivery.report.record import Kind, Outcome
from flows.announcing import announce_begin, announce_end
from tasks.announcements import tell_last, telling
from tasks.cleanup import remove_traces, stop_programs
from tasks.heartbeat import enter, leave
from tasks.report import write_report
from tasks.step import log, recorded


@dataclass
class Ending:
    """How the run ends; set by the flow when it is something else than a new release."""

    outcome: Outcome = "delivered"
    reason: str = ""
    gate: str = ""


@asynccontextmanager
async def reported(run: str, environment: str, kind: Kind = "delivery") -> AsyncIterator[Ending]:
    """Record the steps of the run inside and write its report when it ends, however it ends."""
    ending, started = Ending(), datetime.now(UTC)
    enter(run)
    with recorded(run), telling(run):
        announce_begin(environment, kind)
        try:
            yield ending
        except Pause:  # it goes on in another process, when somebody has answered
            await tell_last()
            leave(run)
            raise
        except BaseException as error:
            ending.outcome, ending.reason = outcome_of(error), str(error)
            ending.gate = error.gate if isinstance(error, HeadwayError) else ""
            if ending.outcome == "interrupted":
                stop_programs()
            await _end(run, environment, kind, ending, started)
            raise
        await _end(run, environment, kind, ending, started)


async def _end(run: str, environment: str, kind: Kind, ending: Ending, started: datetime) -> None:
    """Clean up and write the report; neither may change how the run ends."""
    try:
        await _try(remove_traces(run))
        announce_end(environment, kind, ending.outcome, ending.reason)
        await _try(write_report(run, environment, kind, ending.outcome, ending.reason, started, ending.gate))
        await _try(tell_last())
    finally:
        leave(run)


async def _try(step: Awaitable[object]) -> None:
    try:
        await step
    except Exception as error:
        log().error("the run has ended, but not everything was done after it: %s", error)


def outcome_of(error: BaseException) -> Outcome:
    """Return how a run ends because of `error`, in the report's words."""
    match error:
        case Misconfigured():
            return "misconfigured"
        case ReleaseUnhealthy():
            return "withdrawn"
        case Interrupted():
            return "interrupted"
        case NotNeeded():
            return "unchanged"
        case HeadwayError():
            return "rejected"
        case Exception():
            return "failed"
    return "interrupted"  # cancelled, or asked to end by a signal
