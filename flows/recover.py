"""End what dead runs began; the keeper runs it as soon as something has died, and the worker every minute."""

from prefect import flow
from prefect.runtime import flow_run

from flows.limits import one_by_one, raise_failures
from tasks.heartbeat import enter, leave
from tasks.known import known_environments
from tasks.recover import free_unchanged, recover_environment, recover_runs, revive_keeper, sweep_orphans
from tasks.warm import retire_kept


@flow(name="recover", persist_result=False)
async def recover() -> list[str]:
    """Finish or withdraw half-done changes, start dead runs again, remove what has no owner or is kept no longer.

    Returns what was done.

    Nothing here asks what a process remembers: the lease, the journal and the target itself say what to do.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        revive_keeper()
        return await _recover(run)
    finally:
        leave(run)


async def _recover(run: str) -> list[str]:
    environments = await known_environments()
    ended, failures = await one_by_one(recover_environment(one, run) for one in environments)
    free_unchanged(environments, run)
    retired, more = await one_by_one(retire_kept(one, run) for one in environments)
    done = [*filter(None, [*ended, *retired]), *await recover_runs(), *await sweep_orphans()]
    raise_failures([*failures, *more])
    return done
