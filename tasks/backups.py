"""The backups of an environment's database: taken, proven, restored, kept for as long as they shall be."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.changes.kept import expired
from delivery.counting import counted
from delivery.errors import HeadwayError, Rejected
from delivery.ports.backups import BackupProof, KeptBackup, Masked, Reason, Restored
from delivery.ports.drills import Drill
from delivery.releases.order import Order
from delivery.releases.release import Evidence, Release
from delivery.spec.app import App, environment_of
from delivery.spec.beside_database import left_behind
from delivery.spec.masking import Masking
from tasks.database import refreshed_before, refreshed_name
from tasks.environment import changing, journaled, live_release, open_environment
from tasks.known import current_environments
from tasks.live_code import live_code
from tasks.notes import note
from tasks.restores import recording, tell_drill
from tasks.step import DAY_SECONDS, log, step

NOT_ARCHIVED = "not checked: any moment: nothing is archived there, although backups.any_second is on"


@step(timeout_seconds=DAY_SECONDS, name="back up {environment}", keep=False)
def take_backup(app: App, environment: str, run: str, reason: Reason) -> KeptBackup | None:
    """Keep a backup of the environment's database, and remove what is kept no longer; none without a database."""
    if app.database is None:
        return None
    with open_environment(app, environment) as opened:
        kept = opened.backups.take(run, reason)
        if kept is None:
            return None
        gone = expired(opened.backups.kept(), environment_of(app, environment).backups, datetime.now(UTC))
        for one in gone:
            opened.backups.forget(one.name)
            log().info("backup %s of %s is kept no longer", one.name, environment)
    log().info("backup %s of %s: %s, kept in %s", kept.name, environment, counted(kept.rows, "row"), kept.where)
    return kept


@step(timeout_seconds=DAY_SECONDS, name="drill the archive of {environment}", keep=False)
def drill_archive(app: App, environment: str, run: str) -> Drill:
    """Return what going back to a moment just now showed; Rejected when that is not as it should be.

    What could not be checked is told, as where nothing is archived, and so is a drill that notices no damage.
    """
    with recording(app, environment, run, "drill") as keep:
        with open_environment(app, environment) as opened:
            deadline = environment_of(app, environment).backups.drill.deadline_seconds
            live = live_code(app, environment, run)
            shown = opened.backups.drill(run, deadline_seconds=deadline, live=live)
        shown = shown or Drill(at=datetime.now(UTC), outcome="unknown", unchecked=(NOT_ARCHIVED,))
        note(run, "drill", environment, shown)
        tell_drill(f"the archive of {environment} cannot be gone back to as it should", keep(shown))
    return shown


@step(timeout_seconds=120, keep=False)
def moment_before(order: Order, environment: str, release: str) -> datetime:
    """Return the moment before a release came into the environment; Misconfigured with those that did."""
    return Journal(current_store(), order.app.app, environment).came_at(release)


@step(timeout_seconds=DAY_SECONDS, name="restore a backup of {environment}", keep=False)
def prove_backup(app: App, environment: str, run: str, backup: str, release: Release | None = None) -> BackupProof:
    """Restore a kept backup elsewhere and compare; Rejected when it is not as the database was.

    The proof is kept with the backup, and is evidence of `release`; without one, of what is live.
    """
    with recording(app, environment, run, "proof", backup=backup) as keep:
        with open_environment(app, environment) as opened:
            proof = opened.backups.prove(backup, run)
        record = keep(proof)
        if record.outcome != "pass":
            how = "as it was" if proof.differences else "within its limits"
            raise Rejected(f"the backup of {environment} cannot be restored {how}: {'; '.join(record.problems)}")
    note(run, "backup", environment, proof)
    if kept_for := release or live_release(app, environment):
        _keep_proof(app, kept_for, environment, proof)
    log().info(
        "backup %s proven: RPO %.2f s, RTO %.2f s, %s",
        backup,
        proof.rpo_seconds,
        proof.rto_seconds,
        counted(proof.tables, "table"),
    )
    return proof


@step(timeout_seconds=DAY_SECONDS, retries=0, name="restore backup {backup} into {into}", keep=False)
def restore_backup(order: Order, environment: str, release: Release, backup: str, into: str, sequence: int) -> Restored:
    """Restore a kept backup into a new database beside the one in use; a database that was lost is started for it."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "restore", release, sequence, f"{backup} into {into}"):
            target.claim()
            with recording(order.app, environment, order.run, "restore", backup=backup) as keep:
                restored = opened.backups.restore(backup, into, order.run)
                keep(restored)
    log().info("restored %s into %s: %s", restored.backup, into, counted(restored.rows, "row"))
    return restored


@step(timeout_seconds=120, name="find a proven backup of {source}", keep=False)
def newest_proven(app: str, source: str) -> KeptBackup:
    """Return the newest backup of an environment whose restore showed what was there; Rejected when there is none."""
    kept = kept_backups(app, source)
    proven = [one for one in kept if one.proven == "proven"]
    if not proven:
        found = f"none of its {counted(len(kept), 'backup')} is" if kept else "there is none"
        raise Rejected(
            f"no backup of {source} of {app} that is proven: {found}\n  next: headway backup --environment {source}"
        )
    return proven[0]


@step(timeout_seconds=10800, retries=0, name="restore backup {backup} of {source}, masked", keep=False)
def restore_masked(
    order: Order, environment: str, release: Release, source: str, backup: str, masking: Masking, sequence: int
) -> Masked:
    """Restore a backup of `source`, masked, into a new database beside the one that `environment` uses.

    What a refresh before this one, which did not come to its end, left of that is removed.
    """
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "restore", release, sequence, f"{backup} of {source}, masked"):
            target.claim()
            live = opened.database.ensure().name
            for left in refreshed_before(live, opened.database.beside()):
                opened.database.drop(left)
                log().warning("dropped %s, which a refresh before this one left", left)
            masked = opened.backups.restore_masked(source, backup, refreshed_name(live), masking, order.run)
    log().info(
        "restored %s of %s into %s: %s, %s masked, %s without rows",
        masked.backup,
        source,
        masked.database,
        counted(masked.rows, "row"),
        counted(masked.columns, "column"),
        counted(masked.emptied, "table"),
    )
    return masked


@step(timeout_seconds=DAY_SECONDS, retries=0, name="restore {moment:%Y-%m-%d %H:%M:%S} into {into}", keep=False)
def restore_moment(
    order: Order, environment: str, release: Release, moment: datetime, into: str, sequence: int
) -> Restored:
    """Restore the database as it was at a moment into a new database beside the one in use."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        detail = f"{moment.isoformat()} into {into}"
        with journaled(order, environment, "restore", release, sequence, detail):
            target.claim()
            with recording(order.app, environment, order.run, "restore") as keep:
                restored = opened.backups.restore_at(moment, into, order.run)
                keep(restored)
    log().info("restored %s into %s: %s", moment.isoformat(), into, counted(restored.rows, "row"))
    return restored


def reaches(app: str | None, environment: str | None = None) -> list[tuple[str, str]]:
    """Return for each environment whose changes are archived which moments can be gone back to, in words."""
    found = []
    for known in current_environments():
        policy = environment_of(known.app, known.environment).backups
        asked = app in (None, known.app.app) and environment in (None, known.environment)
        if not asked or known.app.database is None or not policy.any_second:
            continue
        try:
            with open_environment(known.app, known.environment) as opened:
                reach = opened.backups.reach()
            told = "nothing yet"
            if reach:
                size = f"{reach.size_bytes / 1e6:.0f} MB"
                told = f"{reach.earliest:%Y-%m-%d %H:%M:%S} to {reach.latest:%Y-%m-%d %H:%M:%S} UTC, {size}"
        except HeadwayError as error:
            told = str(error)
        found.append((f"{known.app.app} {known.environment}", told))
    return found


def kept_backups(app: str | None, environment: str | None = None) -> list[KeptBackup]:
    """Return the backups that are kept of all environments, or of those asked for, the newest first."""
    found: list[KeptBackup] = []
    for known in current_environments():
        if app in (None, known.app.app) and environment in (None, known.environment) and known.app.database:
            with open_environment(known.app, known.environment) as opened:
                found += opened.backups.kept()
    return sorted(found, key=lambda one: one.at, reverse=True)


def _keep_proof(app: App, release: Release, environment: str, proof: BackupProof) -> None:
    """Keep the proof as evidence of the release whose schema it is."""
    left = left_behind(app, environment)
    Archive(current_store()).add_evidence(
        release,
        Evidence(
            kind="restore",
            subject=environment,
            at=datetime.now(UTC),
            outcome="pass",
            summary=f"restored {counted(proof.tables, 'table')}, {counted(proof.rows, 'row')}: "
            f"RPO {proof.rpo_seconds:.2f} s, RTO {proof.rto_seconds:.2f} s" + (left and f"; {left}"),
            details=proof.model_dump(mode="json"),
        ),
    )
