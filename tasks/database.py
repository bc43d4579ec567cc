"""The environment's database: started, migrated, backed up and restored."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.counting import counted
from delivery.docker.database import backup, database
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.errors import Rejected
from delivery.home import Home
from delivery.ports.backups import BackupProof
from delivery.releases.order import Order
from delivery.releases.release import Evidence, Release
from delivery.spec.app import App
from tasks.notes import note
from tasks.place import docker_host, load_place, open_environment
from tasks.step import log, step


def _names(app: App, environment: str) -> EnvironmentNames:
    return EnvironmentNames(Home.current().identity, app.app, environment)


def _image(app: App, host: str | None) -> str:
    assert app.database is not None
    return _found(app, app.database.image, host)


def _found(app: App, asked: str, host: str | None) -> str:
    return resolve_base(asked, cache=Home.current().cache, host=host, stand_ins=app.stand_ins).used


@step(timeout_seconds=300, name="start database of {environment}", keep=False)
def start_database(order: Order, environment: str) -> bool:
    """Make sure the environment's database answers; return whether it was there before."""
    if order.app.database is None:
        return False
    names, host = _names(order.app, environment), docker_host(order.app, environment)
    existed = database.find_database(names, host=host) is not None
    database.ensure_database(order.app.database, names, image=_image(order.app, host), host=host)
    return existed


@step(timeout_seconds=3600, name="migrate {environment}", keep=False)
def migrate_database(order: Order, environment: str, release: Release, sequence: int) -> None:
    """Bring the environment's schema up to date; Rejected with the migration's last lines when it fails."""
    if order.app.database is None or order.app.database.migrate is None:
        return
    names, host = _names(order.app, environment), docker_host(order.app, environment)
    access = database.find_database(names, host=host)
    assert access is not None
    log_file = Home.current().work / order.run / "migrate.log"
    migration = order.app.database.migrate
    ours = release.images.get(migration.image)
    ref = str(ours) if ours else _found(order.app, migration.image, host)
    secrets = load_place(order.app, environment, with_secrets=True).parts.get("database.migrate")
    result = database.migrate(
        order.app.database, names, access, ref, run_id=order.run, log=log_file, host=host, secrets=secrets
    )
    log().info("migrated %s in %.1f s", environment, result.seconds)


@step(timeout_seconds=3600, name="restore a backup of {environment}", keep=False)
def prove_backup(app: App, environment: str, run: str, release: Release | None = None) -> BackupProof | None:
    """Back up, restore elsewhere and compare; Rejected when the copy differs, none when there is no database."""
    if app.database is None:
        return None
    names, home, host = _names(app, environment), Home.current(), docker_host(app, environment)
    access = database.find_database(names, host=host)
    if access is None:
        return None
    image = _image(app, host)
    proof = backup.prove_backup(app.database, names, access, image=image, home=home, run_id=run, host=host)
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
    with open_environment(app, environment) as target:
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
