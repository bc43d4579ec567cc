"""Phase 8: a backup is a backup when it was restored."""

from prefect import flow
from prefect.runtime import flow_run

from delivery.ports.backups import BackupProof
from delivery.releases.order import Order
from delivery.releases.release import Release
from flows.limits import one_by_one, raise_failures
from tasks.database import prove_backup
from tasks.known import known_environments


@flow(name="verify backup", flow_run_name="verify backup of {order.app.app} {environment}", persist_result=True)
async def verify_backup(order: Order, environment: str, release: Release | None = None) -> BackupProof | None:
    """Restore a backup of the environment's database elsewhere and compare; Rejected when it differs.

    The proof is evidence of `release`; without one, of what is live.
    """
    return await prove_backup(order.app, environment, order.run, release)


@flow(name="verify backups", persist_result=False)
async def verify_backups() -> list[BackupProof]:
    """Do so for every environment that has a database; runs every night. One that fails hides none of the others."""
    environments = await known_environments()
    proofs, failures = await one_by_one(
        prove_backup(one.app, one.environment, str(flow_run.id)) for one in environments
    )
    raise_failures(failures)
    return [proof for proof in proofs if proof]
