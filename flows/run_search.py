"""Deliveries and rollbacks, the newest first: which one is meant by an id, a name, or nothing."""

from collections.abc import Iterator
from itertools import count as count_up
from itertools import islice
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

from delivery.errors import Misconfigured
from flows.runs import DELIVERIES, PAGE, RunView, connected, look, view_of

NEWEST, LOOKED_THROUGH = 100, 2000  # runs among which one is looked for, at first and where it is not there
FEWEST = 10  # asked for at once: those of another application may be among them


def find(text: str | None, app: str | None = None) -> RunView:
    """Return the delivery whose id starts with `text` or whose name it is; without it, the one that waits.

    With `app`, of that application alone.

    Raises Misconfigured when there is none, or more than one.
    """
    runs = latest(NEWEST, app)
    if text is None:
        matching = [run for run in runs if run.waits]
        wanted = f"run{f' of {app}' * bool(app)} that waits for an answer"
    else:
        matching = _meant(text, runs) or _meant(text, latest(LOOKED_THROUGH, app))
        wanted = f"run {text}"
    if len(matching) != 1:
        known = ", ".join(f"{run.id[:8]} ({run.name}, {run.state})" for run in (matching or runs)[:8])
        raise Misconfigured(wanted, f"{len(matching) or 'none'} found", known or "none yet")
    return matching[0]


def _meant(text: str, runs: list[RunView]) -> list[RunView]:
    return [run for run in runs if run.id.startswith(text) or run.name == text]


def named(text: str) -> RunView:
    """Return the run of any flow with this whole id, or the delivery that `find` finds; Misconfigured for none."""
    try:
        return look(str(UUID(text)), steps=False)
    except ObjectNotFound as error:
        raise Misconfigured(f"run {text}", "the server knows none of this id", next_step="headway status") from error
    except ValueError:
        return find(text)


def latest(count: int, app: str | None = None) -> list[RunView]:
    """Return the newest deliveries and rollbacks, the newest first; with `app`, of that application alone."""
    with connected() as client:
        return list(islice(_newest(client, app, max(FEWEST, min(count, PAGE))), count))


def _newest(client: SyncPrefectClient, app: str | None, page: int) -> Iterator[RunView]:
    """Yield them page by page: the server finds names that hold the application's, also as the end of another one's."""
    named = FlowRunFilterName(like_=f"{app} ") if app else None
    for offset in count_up(0, page):
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=DELIVERIES)),
            flow_run_filter=FlowRunFilter(name=named) if named else None,
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=page,
            offset=offset,
        )
        yield from (view for view in map(view_of, runs) if app in (None, view.app))
        if len(runs) < page:
            return
