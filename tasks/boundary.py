"""Say what an earlier release would run on, before a rollback touches anything."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.errors import Interrupted, Misconfigured, Rejected
from delivery.ports.backups import KeptBackup
from delivery.releases.boundary import Boundary, WayBack, check_boundary
from delivery.releases.migrations import same_migrations
from delivery.releases.order import Order
from delivery.releases.rehearsal import Rehearsal
from delivery.releases.release import Release
from delivery.spec.database import MOST_MIGRATION_SECONDS
from tasks.environment import live_release, open_environment
from tasks.migration import contracted_before
from tasks.notes import note
from tasks.rehearsal import KIND, described_version, migration_of, rehearsed, weighed
from tasks.step import log, step

SHOWN = 5


@step(
    timeout_seconds=MOST_MIGRATION_SECONDS,
    name="see what is between {earlier.fingerprint} and what is live",
    keep=False,
)
def check_way_back(
    order: Order, environment: str, earlier: Release, *, override: bool, down: bool, backup: str | None
) -> Boundary | None:
    """Return the boundary that an earlier release is to be put back over; none where both have the same migrations.

    What was rehearsed when the live release came decides; where it was not, it is rehearsed now. Raises Rejected when
    the earlier code does not run on the schema, unless `override` is on, `down` and the rehearsal took it back, or a
    `backup` of the time before is gone back to.
    """
    live = live_release(order.app, environment)
    if backup or live is None or migration_of(order.app) is None or same_migrations(order.app, live, earlier):
        return None
    shown = _shown(order, environment, earlier, live)
    if shown is None:
        return None
    boundary = Boundary(
        environment=environment,
        live=live.fingerprint,
        earlier=earlier.fingerprint,
        shown=shown,
        applied=shown.applied,
        way_back=_way_back(order, environment, live) if shown.rollback == "recovery" else None,
    )
    note(order.run, KIND, environment, shown.model_copy(update={"environment": environment}))
    if not (override or (down and shown.rollback == "down")):
        check_boundary(boundary)
    log().info("the database stays as it is: %s", shown.describe())
    return boundary


@step(timeout_seconds=600, name="choose the backup to go back to", keep=False)
def choose_backup(order: Order, environment: str, backup: str) -> str:
    """Return the whole name of a backup of the time before the live release migrated; `latest` is the newest of those.

    Raises Misconfigured, with those that are, for one that is of a later time, and for a beginning that fits several.
    """
    live = live_release(order.app, environment)
    if live is None:
        return backup
    before = _backups_before(order, environment, live)
    fitting = before[:1] if backup == "latest" else [one for one in before if one.name.startswith(backup)]
    if len(fitting) != 1:
        allowed = ", ".join(one.name for one in before[:SHOWN]) or "none is kept"
        none = f"is none of the time before {live.fingerprint} migrated the database"
        found = "fits several" if fitting else none
        raise Misconfigured(f"backup {backup} of {environment} of {order.app.app}", found, allowed, "headway backups")
    return fitting[0].name


def _shown(order: Order, environment: str, earlier: Release, live: Release) -> Rehearsal | None:
    """Return the newest rehearsal of the way from the earlier release to the live one, or of one made now."""
    ran = contracted_before(order, environment)
    kept = Archive(current_store()).rehearsals(order.app.app, earlier, live)
    # What waited then, and ran since, took something that the earlier code may need.
    known = [one for one in kept if one.conclusive and not ran & set(one.waited)]
    if known and (migration := migration_of(order.app)):
        return weighed(migration, known[-1])
    log().info(
        "it was not rehearsed whether %s runs on the schema of %s: it is now", earlier.fingerprint, live.fingerprint
    )
    try:
        newer = described_version(order.app.app, live)
        migration = migration_of(newer.app)
        if migration is None or not migration.rehearsal.enabled:
            return None
        return rehearsed(order.model_copy(update={"app": newer.app}), earlier, live, newer, environment)
    except Interrupted:
        raise
    except (Misconfigured, Rejected) as error:  # to go back must not wait for a place that rehearses
        log().warning("it could not be rehearsed: %s", error)
        return None


def _way_back(order: Order, environment: str, live: Release) -> WayBack | None:
    """Return the newest backup that was taken before the live release migrated the database."""
    before = _backups_before(order, environment, live)
    return WayBack(backup=before[0].name, at=before[0].at, now=datetime.now(UTC)) if before else None


def _backups_before(order: Order, environment: str, live: Release) -> list[KeptBackup]:
    entries = Journal(current_store(), order.app.app, environment).entries()
    moments = [one.at for one in entries if one.verb == "migrate" and one.release.fingerprint == live.fingerprint]
    with open_environment(order.app, environment) as opened:
        return [one for one in opened.backups.kept() if moments and one.at < min(moments)]
