"""The backups of an environment's database: taken, proven, restored, kept for as long as they shall be."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.kept import expired
from delivery.counting import counted
from delivery.errors import Rejected
from delivery.ports.backups import BackupProof, KeptBackup, Reason, Restored
from delivery.releases.order import Order
from delivery.releases.release import Evidence, Release
from delivery.spec.app import App, environment_of
from tasks.environment import changing, journaled, open_environment, open_target
from tasks.known import current_environments
from tasks.notes import note
from tasks.step import log, step


@step(timeout_seconds=3600, name="back up {environment}", keep=False)
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


@step(timeout_seconds=3600, name="restore a backup of {environment}", keep=False)
def prove_backup(app: App, environment: str, run: str, backup: str, release: Release | None = None) -> BackupProof:
    """Restore a kept backup elsewhere and compare; Rejected when it is not as the database was.

    The proof is kept with the backup, and is evidence of `release`; without one, of what is live.
    """
    with open_environment(app, environment) as opened:
        proof = opened.backups.prove(backup, run)
    if proof.outcome != "pass":
        raise Rejected(f"the backup of {environment} cannot be restored as it was: {'; '.join(proof.differences)}")
    note(run, "backup", environment, proof)
    if kept_for := release or _live(app, environment):
        _keep_proof(kept_for, environment, proof)
    log().info(
        "backup %s proven: RPO %.2f s, RTO %.2f s, %s",
        backup,
        proof.rpo_seconds,
        proof.rto_seconds,
        counted(proof.tables, "table"),
    )
    return proof


@step(timeout_seconds=7200, retries=0, name="restore backup {backup} into {into}", keep=False)
def restore_backup(order: Order, environment: str, release: Release, backup: str, into: str, sequence: int) -> Restored:
    """Restore a kept backup into a new database beside the one in use; a database that was lost is started for it."""
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        with journaled(order, environment, "restore", release, sequence, f"{backup} into {into}"):
            target.claim()
            restored = opened.backups.restore(backup, into, order.run)
    log().info("restored %s into %s: %s", restored.backup, into, counted(restored.rows, "row"))
    return restored


def kept_backups(app: str | None, environment: str | None = None) -> list[KeptBackup]:
    """Return the backups that are kept of all environments, or of those asked for, the newest first."""
    found: list[KeptBackup] = []
    for known in current_environments():
        if app in (None, known.app.app) and environment in (None, known.environment) and known.app.database:
            with open_environment(known.app, known.environment) as opened:
                found += opened.backups.kept()
    return sorted(found, key=lambda one: one.at, reverse=True)


def _live(app: App, environment: str) -> Release | None:
    with open_target(app, environment) as target:
        live = target.observe().live
    return live.release if live else None


def _keep_proof(release: Release, environment: str, proof: BackupProof) -> None:
    """Keep the proof as evidence of the release whose schema it is."""
    Archive(current_store()).add_evidence(
        release,
        Evidence(
            kind="restore",
            subject=environment,
            at=datetime.now(UTC),
            outcome="pass",
            summary=f"restored {counted(proof.tables, 'table')}, {counted(proof.rows, 'row')}: "
            f"RPO {proof.rpo_seconds:.2f} s, RTO {proof.rto_seconds:.2f} s",
            details=proof.model_dump(mode="json"),
        ),
    )
