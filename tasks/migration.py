"""Migrations of an environment's database: applied, held back, taken back, ended."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.backup_policy import check_proven
from delivery.changes.contracting import due, ran
from delivery.changes.journal import Journal
from delivery.changes.migration import (
    Ask,
    Migrated,
    carry_out,
    check_migration,
    migration_job,
    pending_parts,
    unlocked,
)
from delivery.counting import counted
from delivery.errors import Rejected
from delivery.home import Home
from delivery.migrations.told import MigrationsTold
from delivery.migrations.tool import Operation
from delivery.migrations.tools import tool_of
from delivery.ports.environment import OpenEnvironment
from delivery.ports.jobs import JobResult
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.app import environment_of
from delivery.spec.database import MOST_MIGRATION_SECONDS, Migration
from tasks.environment import changing, journaled, load_settings, open_environment
from tasks.restores import newest_restores
from tasks.step import log, step

ENDING_SECONDS = 600


# Its own `timeout_seconds` counts: this one is for a place that does not answer any more.
@step(timeout_seconds=MOST_MIGRATION_SECONDS + ENDING_SECONDS, name="migrate {environment}", keep=False)
def migrate_database(
    order: Order, environment: str, release: Release, contracts: frozenset[str], sequence: int
) -> tuple[str, ...]:
    """Bring the environment's schema up to date; of contracts that did not run yet, `contracts` alone; return those.

    Rejected with the migration's last lines when it fails. One that does not end well, or is given up, is ended:
    nothing of it works on.
    """
    if order.app.database is None or order.app.database.migrate is None:
        return ()
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "migrate", release, sequence):
            target.claim()
            done = _migrate(order, environment, release, opened, contracts)
    log().info("migrated %s in %.1f s%s", environment, done.seconds, "".join(f"\n  {one}" for one in done.applied))
    if done.waiting:
        words = "%s of %s until nobody can want to go back: %s"
        log().info(words, f"{counted(len(done.waiting), 'migration')} wait", environment, ", ".join(done.waiting))
    tool = tool_of(order.app.database.migrate)  # one that is due may be built on one that waits
    return tuple(one for one in sorted(contracts) if not any(tool.tells(told, one) for told in done.waiting))


@step(timeout_seconds=MOST_MIGRATION_SECONDS + ENDING_SECONDS, name="take back migrations of {environment}", keep=False)
def revert_database(
    order: Order, environment: str, release: Release, count: int, back_to: tuple[str, ...], sequence: int
) -> None:
    """Take back the newest `count` migrations of `release`, or, where they are named, what came after `back_to`.

    Rejected with what its tool said when that fails.
    """
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "migrate", release, sequence, f"take back {count}"):
            target.claim()
            opened.database.end_migration(order.run)
            migration, log_file, ask = _asking(order, environment, release, opened)
            try:
                for name in back_to or ("",):
                    ended = unlocked(migration, ask, log_file, "revert", count, name)
                    check_migration(migration, ended, log_file, "revert")
            except BaseException:
                opened.database.end_migration(order.run)
                raise
    log().warning("took back %s of %s in %s", counted(count, "migration"), release.fingerprint, environment)


@step(timeout_seconds=120, name="choose what may shrink {environment}", keep=False)
def contracts_to_run(order: Order, environment: str, release: Release, had_data: bool) -> frozenset[str]:
    """Return the contracts that run now; Rejected when there are some, and no young backup that was proven.

    Where there was no data none can be lost.
    """
    ripe = due_contracts(order, environment, release)
    if ripe and had_data:
        with open_environment(order.app, environment) as opened:
            kept = opened.backups.kept()
        policy, restores = environment_of(order.app, environment).backups, newest_restores(order.app.app, environment)
        check_proven(environment, ripe, policy, kept, restores, datetime.now(UTC))
    return ripe


def due_contracts(order: Order, environment: str, release: Release) -> frozenset[str]:
    """Return the contracts of `release` whose time has come in the environment, and that did not run there yet."""
    if not release.contracts:
        return frozenset()
    history = Archive(current_store()).history(order.app.app, environment)
    after = environment_of(order.app, environment).contract_after_seconds
    return due(history, release, datetime.now(UTC), after, _replaced(order, environment))


def contracted_before(order: Order, environment: str) -> frozenset[str]:
    """Return the contracts that ran on the database that the environment uses."""
    history = Archive(current_store()).history(order.app.app, environment)
    return ran(history, _replaced(order, environment)) if any(one.contracted for one in history) else frozenset()


def _replaced(order: Order, environment: str) -> datetime | None:
    """Return when another database was put behind the application last, or none."""
    moments = Journal(current_store(), order.app.app, environment).moments()
    return max((one.at for one in moments if one.verb == "use-database" and one.stage == "done"), default=None)


def _migrate(
    order: Order, environment: str, release: Release, opened: OpenEnvironment, ripe: frozenset[str]
) -> Migrated:
    """Return what was applied, and what waits; nothing of an attempt before, nor of one that fails, works on."""

    def drop_unfinished() -> tuple[str, ...]:
        opened.database.end_migration(order.run)  # what is still being built is not dropped
        if dropped := opened.database.drop_unfinished():
            log().warning("dropped in %s, for it was left half done: %s", environment, ", ".join(dropped))
        return dropped

    waits = set(release.contracts) - ripe - contracted_before(order, environment)
    try:
        migration, log_file, ask = _asking(order, environment, release, opened)
        return carry_out(migration, ask, log_file, waits=waits, drop_unfinished=drop_unfinished)
    except BaseException:
        opened.database.end_migration(order.run)
        raise


def _asking(
    order: Order, environment: str, release: Release, opened: OpenEnvironment, *, claims: bool = True
) -> tuple[Migration, Path, Ask]:
    """Return how a release migrates, where its tool's words go, and what asks it."""
    assert order.app.database
    assert order.app.database.migrate
    migration, run, log_file = order.app.database.migrate, order.run, Home.current().work / order.run / "migrate.log"
    secrets = load_settings(order.app, environment, with_secrets=True).parts.get("database.migrate")
    access = opened.database.find()
    if access is None:  # a new one would be empty
        raise Rejected(f"the database of {environment} is gone since it was started")
    image = opened.image(release, migration.image)
    describe = partial(migration_job, run=run, log=log_file, secrets=secrets)
    if claims:
        describe = partial(describe, begun=opened.target.claim)

    def ask(operation: Operation, count: int, up_to: str) -> JobResult:
        return opened.jobs.run(describe(migration, access, image, operation=operation, count=count, up_to=up_to))

    return migration, log_file, ask


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


@step(timeout_seconds=600, name="ask for the migrations of {environment}", keep=False)
def told_migrations(order: Order, environment: str, release: Release) -> MigrationsTold:
    """Return what the tool of the live release says of the database; Rejected when it cannot be asked."""
    ripe = due_contracts(order, environment, release)
    with open_environment(order.app, environment) as opened:
        migration, log_file, ask = _asking(order, environment, release, opened, claims=False)
        if migration.tool == "command":
            return MigrationsTold(tool=migration.tool)
        found = ask("verify", 1, "")
        said = log_file.read_text(errors="replace") if log_file.exists() else found.last_lines
        code = 1 if found.exit_code is None else found.exit_code
        problem = tool_of(migration).problem("verify", code, said)
        applied = check_migration(migration, ask("history", 1, ""), log_file, "history")
        waits = set(release.contracts) - ripe - contracted_before(order, environment)
        parts = pending_parts(migration, ask("pending", 1, ""), log_file, waits)
    return MigrationsTold(
        tool=migration.tool,
        applied=applied,
        pending=parts.applied + parts.waiting,
        waiting=parts.waiting,
        due=tuple(sorted(ripe)),
        problem=str(problem) if problem else "",
    )
