"""Keep a backup of an environment's database now, restored elsewhere and compared before it counts."""

from prefect import flow
from prefect.runtime import flow_run

from delivery.errors import Misconfigured
from delivery.ports.backups import BackupProof, KeptBackup
from flows.verify_backup import back_up
from tasks.backup_ages import backup_ages
from tasks.backups import kept_backups, reaches
from tasks.database import databases
from tasks.heartbeat import enter, leave
from tasks.known import known_environments
from tasks.restores import histories, left_behind_by

__all__ = ["backup", "backup_ages", "databases", "histories", "kept_backups", "left_behind_by", "reaches"]


@flow(name="backup", flow_run_name="back up {environment} of {app}", persist_result=False)
async def backup(app: str, environment: str) -> tuple[KeptBackup, BackupProof]:
    """Return a backup that is kept from now on, and what its restore showed; Rejected when it is not as it was."""
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        environments = [
            one for one in await known_environments() if (one.app.app, one.environment) == (app, environment)
        ]
        taken = await back_up(environments[0].app, environment, run, "by hand") if environments else None
        if taken is None:
            raise Misconfigured(
                f"{environment} of {app}",
                "there is no database to back up",
                next_step="headway status",
            )
        return taken
    finally:
        leave(run)
