"""End what dead runs began; runs every minute and after every start of the platform."""

from prefect import flow
from prefect.runtime import flow_run

from flows.limits import one_by_one, raise_failures
from tasks.known import known_places
from tasks.recover import recover_place, recover_runs, sweep_orphans
from tasks.warm import retire_kept


@flow(name="recover")
async def recover() -> list[str]:
    """Finish or withdraw half-done changes, start dead runs again, remove what has no owner or is kept no longer.

    Returns what was done.

    Nothing here asks what a process remembers: the lease, the journal and the target itself say what to do.
    """
    places = await known_places()
    ended, failures = await one_by_one(recover_place(place, str(flow_run.id)) for place in places)
    retired, more = await one_by_one(retire_kept(place, str(flow_run.id)) for place in places)
    done = [*filter(None, [*ended, *retired]), *await recover_runs(), *await sweep_orphans()]
    raise_failures([*failures, *more])
    return done
