"""Refresh an environment's database with the data of another one: restored, masked, and only then put in its place."""

from prefect import flow
from prefect.runtime import flow_run

from delivery.changes.restores import Replaced
from delivery.ports.backups import Masked
from delivery.spec.masking import Masking
from flows.holding import holding
from flows.restore import put_behind
from tasks.backups import newest_proven, restore_masked
from tasks.database import describe_live, is_well
from tasks.heartbeat import enter, leave


@flow(name="refresh", flow_run_name="refresh {environment} of {app} from {source}", persist_result=False)
async def refresh(
    app: str, environment: str, source: str, masking: Masking, steal: str | None = None
) -> tuple[Masked, Replaced]:
    """Put the newest proven backup of `source`, masked, behind the application in `environment`.

    The database that was in use is kept under another name. Raises Rejected, with all of it, when something looks
    personal that `masking` does not name; ReleaseUnhealthy when the application, which was well before, is not well
    with what was restored. In both cases it uses what it used before.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        order, release = await describe_live(app, environment, run, steal)
        kept = await newest_proven(app, source)
        async with holding(order, environment, f"refresh from {source}") as hold:
            was_well = await is_well(order, environment, patient=False)
            masked = await restore_masked(order, environment, release, source, kept.name, masking, hold.sequence)
            used = await put_behind(order, environment, release, masked.database, hold.sequence, was_well)
            return masked, used
    finally:
        leave(run)
