"""Bring the database to where an earlier release runs, and back to where it was when that release does not come."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from delivery.errors import HeadwayError, Rejected
from delivery.releases.boundary import Boundary
from delivery.releases.order import Order
from tasks.backups import restore_backup
from tasks.database import describe_live, new_name, use_database
from tasks.migration import migrate_database, revert_database
from tasks.step import log


@asynccontextmanager
async def taken_back(order: Order, environment: str, boundary: Boundary | None, sequence: int) -> AsyncIterator[None]:
    """Take back what lies between the live release and the earlier one, for the body; without a boundary nothing is.

    When the body fails, the schema is brought to where it was: the release that is live still needs it.
    """
    if boundary is None or not boundary.is_in_the_way:
        yield
        return
    newer, live = await describe_live(order.app.app, environment, order.run)
    if (beside := boundary.shown.outcome("new", "old")) and beside.outcome == "failed":
        log().warning("the live code does not run on the earlier schema: its users see errors until this has ended")
    shown = boundary.shown
    try:
        await revert_database(newer, environment, live, shown.steps_back, shown.back_to, sequence)
        yield
    except BaseException as error:
        try:
            await migrate_database(newer, environment, live, frozenset(), sequence)  # what waits goes on waiting
        except HeadwayError as again:
            left = f"the schema of {environment} was not brought back to where the live {live.fingerprint} needs it"
            raise Rejected(f"{error}\n{left}: {again}") from error
        raise


@asynccontextmanager
async def brought_back(order: Order, environment: str, backup: str | None, sequence: int) -> AsyncIterator[None]:
    """Put what a kept backup holds behind the application, for the body; without a backup nothing is changed.

    When the body fails, the database of before is behind it again. That one is kept in any case.
    """
    if backup is None:
        yield
        return
    newer, live = await describe_live(order.app.app, environment, order.run)
    assert newer.app.database
    name = new_name(newer.app.database.name)
    await restore_backup(newer, environment, live, backup, name, sequence)
    log().warning("the database of %s is that of backup %s from now on", environment, backup)
    kept_as = await use_database(newer, environment, live, name, sequence)
    try:
        yield
    except BaseException:
        await use_database(newer, environment, live, kept_as, sequence)
        raise
