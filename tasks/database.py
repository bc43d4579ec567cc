"""The environment's database: started, migrated, backed up and restored."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.migration import check_migration, migration_job
from delivery.counting import counted
from delivery.errors import Rejected
from delivery.home import Home
from delivery.ports.backups import BackupProof
from delivery.releases.order import Order
from delivery.releases.release import Evidence, Release
from delivery.spec.app import App
from tasks.environment import load_settings, open_environment, open_target
from tasks.notes import note
from tasks.step import log, step


@step(timeout_seconds=300, name="start database of {environment}", keep=False)
def start_database(order: Order, environment: str) -> bool:
    """Make sure the environment's database answers; return whether it was there before."""
    if order.app.database is None:
        return False
    with open_environment(order.app, environment) as opened:
        existed = opened.database.find() is not None
        opened.database.ensure()
    return existed


@step(timeout_seconds=3600, name="migrate {environment}", keep=False)
def migrate_database(order: Order, environment: str, release: Release, sequence: int) -> None:
    """Bring the environment's schema up to date; Rejected with the migration's last lines when it fails."""
    if order.app.database is None or order.app.database.migrate is None:
        return
    migration, log_file = order.app.database.migrate, Home.current().work / order.run / "migrate.log"
    ours = release.images.get(migration.image)
    secrets = load_settings(order.app, environment, with_secrets=True).parts.get("database.migrate")
    with open_environment(order.app, environment) as opened:
        access = opened.database.find()
        if access is None:  # a new one would be empty
            raise Rejected(f"the database of {environment} is gone since it was started")
        image = str(ours or migration.image)
        job = migration_job(migration, access, image, run=order.run, log=log_file, secrets=secrets)
        ended = opened.jobs.run(job)
    check_migration(migration, ended)
    log().info("migrated %s in %.1f s", environment, ended.seconds)


@step(timeout_seconds=3600, name="restore a backup of {environment}", keep=False)
def prove_backup(app: App, environment: str, run: str, release: Release | None = None) -> BackupProof | None:
    """Back up, restore elsewhere and compare; Rejected when the copy differs, none when there is no database."""
    if app.database is None:
        return None
    with open_environment(app, environment) as opened:
        proof = opened.backups.prove(run)
    if proof is None:
        return None
    if proof.outcome != "pass":
        raise Rejected(f"the backup of {environment} cannot be restored as it was: {'; '.join(proof.differences)}")
    note(run, "backup", environment, proof)
    if kept_for := release or _live(app, environment):
        _keep_proof(kept_for, environment, proof)
    log().info(
        "backup proven: RPO %.2f s, RTO %.2f s, %s",
        proof.rpo_seconds,
        proof.rto_seconds,
        counted(proof.tables, "table"),
    )
    return proof


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
