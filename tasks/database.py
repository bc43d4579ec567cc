"""The environment's database: started, migrated, and another one put behind the application."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.errors import Misconfigured
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.waiting import until
from tasks.environment import changing, journaled, open_environment
from tasks.known import current_environments
from tasks.notes import note
from tasks.step import DAY_SECONDS, log, step

ENDING_SECONDS = 600
RECOVER_SECONDS = 30.0  # an application gets over the end of its connections in this time, beside that of its start
EVERY_SECONDS = 0.5
REFRESHED = "_refreshed_"


@step(timeout_seconds=DAY_SECONDS, name="start database of {environment}", keep=False)
def start_database(order: Order, environment: str, release: Release, sequence: int) -> bool:
    """Make sure the environment's database lets its user in, as the file says; return whether it had data before."""
    if order.app.database is None:
        return False
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        had_data = opened.database.holds_data()
        with journaled(order, environment, "start-database", release, sequence):
            target.claim()
            opened.database.ensure()
    return had_data


@step(timeout_seconds=120, keep=False)
def describe_live(app: str, environment: str, run: str, steal: str | None = None) -> tuple[Order, Release]:
    """Return an order that changes nothing but the database, and the release that is live, or was last.

    Raises Misconfigured where nothing was ever released, or there is no database.
    """
    known = {(one.app.app, one.environment): one.app for one in current_environments()}
    described = known.get((app, environment))
    last = Journal(current_store(), app, environment).last()
    if described is None or last is None:
        allowed = ", ".join(f"{where} of {name}" for name, where in known) or "none yet"
        raise Misconfigured(f"{environment} of {app}", "nothing was released there", allowed)
    if described.database is None:
        raise Misconfigured(f"{environment} of {app}", "has no database", next_step="`database` in headway.yaml")
    with open_environment(described, environment) as opened:
        live = opened.target.observe().live
    release = live.release if live and live.release else last.release
    described, _ = Archive(current_store()).release(app, release.fingerprint)
    order = Order.of_released(described, release, environment, run=run, steal=steal)
    note(run, "order", environment, order)
    return order, release


@step(timeout_seconds=DAY_SECONDS, retries=0, name="put database {name} behind {environment}", keep=False)
def use_database(order: Order, environment: str, release: Release, name: str, sequence: int) -> str:
    """Put the database `name` behind the application; return what the one before is called from then on."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "use-database", release, sequence, name):
            target.claim()
            opened.database.ensure()
            kept_as = opened.database.use(name)
    log().warning("%s uses the database %s now; the one before is kept as %s", environment, name, kept_as)
    return kept_as


@step(timeout_seconds=DAY_SECONDS, name="drop database {name} of {environment}", keep=False)
def drop_database(order: Order, environment: str, release: Release, name: str, sequence: int) -> None:
    """Remove a database that the application does not use."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "drop-database", release, sequence, name):
            target.claim()
            opened.database.drop(name)


@step(timeout_seconds=DAY_SECONDS + ENDING_SECONDS, retries=0, name="see how {environment} is", keep=False)
def is_well(order: Order, environment: str, *, patient: bool) -> bool:
    """Tell whether the live release is healthy and answers users; `patient` waits for that, and looks on for a while.

    That while is `watch.seconds` of the environment. Where nothing is live nothing can be unwell.
    """

    def well() -> bool:
        with open_environment(order.app, environment) as opened:
            live = opened.target.observe().live
            if live is None:
                return True
            return live.healthy and all(answer.status and answer.status < 500 for answer in opened.target.ask("/"))

    if not patient:
        return well()
    start = max((service.start_seconds for service in order.app.services.values()), default=0)
    if not until(well, seconds=start + RECOVER_SECONDS, every=EVERY_SECONDS):
        return False
    return not until(lambda: not well(), seconds=order.policy.watch.seconds, every=EVERY_SECONDS)


def databases(app: str, environment: str) -> tuple[str, ...]:
    """Return the databases beside each other in an environment, that of the application first."""
    for known in current_environments():
        if (known.app.app, known.environment) == (app, environment):
            with open_environment(known.app, environment) as opened:
                return opened.database.beside()
    raise Misconfigured(f"{environment} of {app}", "nothing was released there")


def refreshed_name(live: str) -> str:
    """Return a name for a database with the data of another environment, until it is put behind the application."""
    return f"{live[:40]}{REFRESHED}{datetime.now(UTC):%Y%m%d%H%M%S}"


def refreshed_before(live: str, databases: Sequence[str]) -> tuple[str, ...]:
    """Return those databases that were made for a refresh, and never put behind the application."""
    name = re.compile(re.escape(f"{live[:40]}{REFRESHED}") + r"\d{14}")
    return tuple(one for one in databases if name.fullmatch(one))


def new_name(live: str) -> str:
    """Return a name for a database that is restored to be put behind the application at once."""
    return f"{live[:40]}_restored_{datetime.now(UTC):%Y%m%d%H%M%S}"
