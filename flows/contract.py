"""Run the migrations that shrink a schema, once nobody can want to go back."""

from prefect import flow
from prefect.runtime import flow_run

from delivery.migrations.told import MigrationsTold
from flows.holding import holding
from flows.release import back_up_before, migrate
from tasks.database import describe_live, start_database
from tasks.environment import remember
from tasks.heartbeat import enter, leave
from tasks.marks import check_not_frozen
from tasks.migration import due_contracts, told_migrations


@flow(name="contract", flow_run_name="contract {environment} of {app}", persist_result=False)
async def contract(app: str, environment: str, steal: str | None = None) -> tuple[str, ...]:
    """Return the migrations of the live release that waited and ran now, after a backup; none when none is due.

    Raises Rejected with what the tool said when that fails, or when no young backup is proven.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        order, release = await describe_live(app, environment, run, steal)
        if not due_contracts(order, environment, release):
            return ()
        check_not_frozen(app, [environment])
        async with holding(order, environment, "migrations that waited") as hold:
            had_data = await start_database(order, environment, release, hold.sequence)
            if had_data:
                await back_up_before(order, environment)
            ran = await migrate(order, environment, release, hold.sequence, had_data=had_data)
            await remember(order, environment, release, "contracted", ran)
            return ran
    finally:
        leave(run)


@flow(name="migrations", flow_run_name="migrations of {environment} of {app}", persist_result=False)
async def migrations(app: str, environment: str) -> MigrationsTold:
    """Return what the live release's tool says of the environment's database; nothing is changed."""
    run = str(flow_run.id)
    order, release = await describe_live(app, environment, run)
    return await told_migrations(order, environment, release)
