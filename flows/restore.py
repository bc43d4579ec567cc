"""Restore a backup beside the database in use, and put another database behind an application."""

from datetime import datetime

from prefect import flow
from prefect.runtime import flow_run

from delivery.changes.restores import Replaced
from delivery.errors import ReleaseUnhealthy
from delivery.ports.backups import Restored
from delivery.releases.order import Order
from delivery.releases.release import Release
from flows.holding import holding
from tasks import database
from tasks.backups import moment_before, restore_backup, restore_moment
from tasks.database import describe_live, is_well, new_name
from tasks.heartbeat import enter, leave
from tasks.known import describe_last
from tasks.second_place import restore_copy


@flow(name="restore", flow_run_name="restore {environment} of {app}", persist_result=False)
async def restore(
    app: str,
    environment: str,
    backup: str | None,
    into: str | None = None,
    steal: str | None = None,
    moment: datetime | None = None,
    before: str | None = None,
) -> tuple[Restored, Replaced | None]:
    """Restore a backup into the new database `into`, or, without a name, put it behind the application at once.

    It is `backup`; or without one the database as it was at `moment`, or before the release `before` came. A database
    that was lost with its volume is made again for it, with the password it had. Nothing is restored over a database:
    the one that was in use is kept under another name. Raises ReleaseUnhealthy when the application, which was well
    before, is not well with what was restored; then it uses what it used before.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        order, release = await describe_live(app, environment, run, steal)
        async with holding(order, environment, f"restore of {backup or before or moment}") as hold:
            assert order.app.database
            name = into or new_name(order.app.database.name)
            was_well = await is_well(order, environment, patient=False)
            if backup is None:
                moment = moment or await moment_before(order, environment, before or "")
                restored = await restore_moment(order, environment, release, moment, name, hold.sequence)
            else:
                restored = await restore_backup(order, environment, release, backup, name, hold.sequence)
            if into is not None:
                return restored, None
            return restored, await put_behind(order, environment, release, name, hold.sequence, was_well)
    finally:
        leave(run)


@flow(name="restore elsewhere", flow_run_name="restore {environment} of {app} elsewhere", persist_result=False)
async def restore_elsewhere(app: str, environment: str, backup: str, into: str) -> Restored:
    """Restore a copy of a backup in the environment's second place, as a new server `into`; `latest` is the newest.

    The environment is not touched, and need not be there any more. Misconfigured where there is no second place.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        return await restore_copy(await describe_last(app, environment), environment, run, backup, into)
    finally:
        leave(run)


@flow(name="use database", flow_run_name="use database {name} in {environment} of {app}", persist_result=False)
async def use_database(app: str, environment: str, name: str, steal: str | None = None) -> Replaced:
    """Put the database `name` behind the application; the one in use is kept under another name.

    Raises ReleaseUnhealthy, with the one before in use again, when the application is not well with it but was before.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        order, release = await describe_live(app, environment, run, steal)
        async with holding(order, environment, f"database {name}") as hold:
            was_well = await is_well(order, environment, patient=False)
            return await put_behind(order, environment, release, name, hold.sequence, was_well)
    finally:
        leave(run)


@flow(name="drop database", flow_run_name="drop database {name} in {environment} of {app}", persist_result=False)
async def drop_database(app: str, environment: str, name: str) -> None:
    """Remove a database that the application does not use; Misconfigured for the one that it does."""
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        order, release = await describe_live(app, environment, run)
        async with holding(order, environment, f"removal of database {name}") as hold:
            await database.drop_database(order, environment, release, name, hold.sequence)
    finally:
        leave(run)


async def put_behind(
    order: Order, environment: str, release: Release, name: str, sequence: int, was_well: bool
) -> Replaced:
    """Put a database behind the application; raises ReleaseUnhealthy, with the one before in use again, if it ails."""
    assert order.app.database
    kept_as = await database.use_database(order, environment, release, name, sequence)
    if not await is_well(order, environment, patient=True) and was_well:
        back = await database.use_database(order, environment, release, kept_as, sequence)
        raise ReleaseUnhealthy(
            f"{environment}: the application is not well with {name}; it uses the database of before again, and what "
            f"was tried is kept as {back}"
        )
    return Replaced(database=name, kept_as=kept_as)
