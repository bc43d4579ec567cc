"""Phase 8: a backup is a backup when it was restored; it is that very backup which is kept."""

from prefect import flow
from prefect.runtime import flow_run

from delivery.ports.backups import BackupProof, KeptBackup, Reason
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.app import App
from flows.limits import one_by_one, raise_failures
from tasks.backups import prove_backup, take_backup
from tasks.known import known_environments


@flow(name="verify backup", flow_run_name="verify backup of {order.app.app} {environment}", persist_result=True)
async def verify_backup(order: Order, environment: str, release: Release | None = None) -> BackupProof | None:
    """Keep a backup of the environment's database, restore it elsewhere and compare; Rejected when it differs.

    The proof is evidence of `release`; without one, of what is live.
    """
    proven = await take_and_prove(order.app, environment, order.run, "before a migration", release)
    return proven[1] if proven else None


@flow(name="verify backups", persist_result=False)
async def verify_backups() -> list[BackupProof]:
    """Do so for every environment that has a database; runs every night. One that fails hides none of the others."""
    environments = await known_environments()
    proofs, failures = await one_by_one(
        take_and_prove(one.app, one.environment, str(flow_run.id), "by schedule") for one in environments
    )
    raise_failures(failures)
    return [kept[1] for kept in proofs if kept]


async def take_and_prove(
    app: App, environment: str, run: str, reason: Reason, release: Release | None = None
) -> tuple[KeptBackup, BackupProof] | None:
    """Return a backup that is kept now, and what its restore showed; none when there is no database."""
    kept = await take_backup(app, environment, run, reason)
    return (kept, await prove_backup(app, environment, run, kept.name, release)) if kept else None
