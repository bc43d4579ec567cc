"""The environment's database: started, migrated, and another one put behind the application."""

from datetime import UTC, datetime
from functools import partial

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.changes.migration import carry_out, migration_job
from delivery.counting import counted
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.migrations.tool import Operation
from delivery.ports.environment import OpenEnvironment
from delivery.ports.jobs import JobResult
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.database import MOST_MIGRATION_SECONDS
from delivery.waiting import until
from tasks.environment import changing, journaled, load_settings, open_environment
from tasks.known import current_environments
from tasks.notes import note
from tasks.step import log, step

ENDING_SECONDS = 600
RECOVER_SECONDS = 30.0  # an application gets over the end of its connections in this time, beside that of its start
EVERY_SECONDS = 0.5


@step(timeout_seconds=300, name="start database of {environment}", keep=False)
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


# Its own `timeout_seconds` counts: this one is for a place that does not answer any more.
@step(timeout_seconds=MOST_MIGRATION_SECONDS + ENDING_SECONDS, name="migrate {environment}", keep=False)
def migrate_database(order: Order, environment: str, release: Release, sequence: int) -> None:
    """Bring the environment's schema up to date; Rejected with the migration's last lines when it fails.

    One that does not end well, or is given up, is ended: nothing of it works on.
    """
    if order.app.database is None or order.app.database.migrate is None:
        return
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "migrate", release, sequence):
            target.claim()
            opened.database.end_migration(order.run)  # of an attempt before this one
            ended, applied = _migrate(order, environment, release, opened)
    log().info("migrated %s in %.1f s%s", environment, ended.seconds, "".join(f"\n  {one}" for one in applied))


def _migrate(
    order: Order, environment: str, release: Release, opened: OpenEnvironment
) -> tuple[JobResult, tuple[str, ...]]:
    assert order.app.database
    assert order.app.database.migrate
    migration, run, log_file = order.app.database.migrate, order.run, Home.current().work / order.run / "migrate.log"
    secrets = load_settings(order.app, environment, with_secrets=True).parts.get("database.migrate")
    access = opened.database.find()
    if access is None:  # a new one would be empty
        raise Rejected(f"the database of {environment} is gone since it was started")
    image = opened.image(release, migration.image)
    describe = partial(migration_job, run=run, log=log_file, secrets=secrets, begun=opened.target.claim)

    def ask(operation: Operation) -> JobResult:
        return opened.jobs.run(describe(migration, access, image, operation=operation))

    try:
        return carry_out(migration, ask, log_file, run=run)
    except BaseException:
        opened.database.end_migration(run)
        raise


@step(timeout_seconds=ENDING_SECONDS, name="end migration of {environment}", keep=False)
def end_migration(order: Order, environment: str, release: Release, sequence: int) -> None:
    """End a migration that was given up: its container, and what the database still does for it."""
    with open_environment(order.app, environment, sequence) as opened:
        ended = opened.database.end_migration(order.run)  # first, for the step that waits for it holds the journal
        with journaled(order, environment, "end-migration", release, sequence):
            opened.database.end_migration(order.run)
    if ended:
        sessions = f"{counted(ended.containers, 'container')} and {counted(ended.sessions, 'session')}"
        log().warning("the migration of %s was given up; ended: %s", environment, sessions)


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


@step(timeout_seconds=600, retries=0, name="put database {name} behind {environment}", keep=False)
def use_database(order: Order, environment: str, release: Release, name: str, sequence: int) -> str:
    """Put the database `name` behind the application; return what the one before is called from then on."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "use-database", release, sequence, name):
            target.claim()
            opened.database.ensure()
            kept_as = opened.database.use(name)
    log().warning("%s uses the database %s now; the one before is kept as %s", environment, name, kept_as)
    return kept_as


@step(timeout_seconds=600, name="drop database {name} of {environment}", keep=False)
def drop_database(order: Order, environment: str, release: Release, name: str, sequence: int) -> None:
    """Remove a database that the application does not use."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "use-database", release, sequence, f"drop {name}"):
            target.claim()
            opened.database.drop(name)


@step(timeout_seconds=86400 + ENDING_SECONDS, retries=0, name="see how {environment} is", keep=False)
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


def new_name(live: str) -> str:
    """Return a name for a database that is restored to be put behind the application at once."""
    return f"{live[:40]}_restored_{datetime.now(UTC):%Y%m%d%H%M%S}"
