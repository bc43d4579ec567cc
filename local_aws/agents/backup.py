"""The agent of AWS Backup: what jobs ask for begins, and how far it is becomes how far they are."""

import time

from moto.rds.models import rds_backends

from local_aws.agents.agent import Agent
from local_aws.faults import Faults
from local_aws.operations import Asked
from local_aws.pace import seconds_of
from local_aws.services import backup_jobs
from local_aws.services.backup_telling import STATE
from local_aws.services.rds_snapshots import snapshot_of

COPY_SECONDS = 60  # of AWS: a copy goes over a network


class BackupAgent(Agent):
    """Every job that goes on, one after the other: each look is short."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("backup")
        self._faults = faults

    def look(self) -> None:
        """Take each job as far as what it is about is."""
        for account, region, kind, job in backup_jobs.going():
            step = _next(account, region, kind, job)
            if step and step[0] == "COMPLETED":
                fault = self._faults.take(Asked("backup-agent", region, f"{kind} job", "POST", "rest-json"))
                step = ("PARTIAL" if fault.kind == "partial" else "FAILED", fault.reason) if fault else step
            if step:
                backup_jobs.tell(account, region, kind, job, *step)


def _next(account: str, region: str, kind: str, job: dict[str, object]) -> tuple[str, str] | None:
    """Return the state that comes next, and why; none while there is none."""
    rds, waited = rds_backends[account][region], time.time() - float(str(job["CreationDate"]))
    runs = job[STATE[kind]] == "RUNNING"
    if kind == "copy":
        return ("RUNNING", "") if not runs else ("COMPLETED", "") if waited >= seconds_of(COPY_SECONDS) else None
    if kind == "restore":
        instance = rds.databases.get(str(job.get("CreatedResourceArn")).rpartition(":")[2])
        states = {"available": ("COMPLETED", ""), "failed": ("FAILED", "the instance failed")}
        return ("RUNNING", "") if not runs else states.get(instance.status if instance else "failed")
    if not runs:
        instance = rds.databases.get(str(job["ResourceName"]))
        allowed = float(str(job["StartBy"])) - float(str(job["CreationDate"]))
        late = ("EXPIRED", "Backup job expired before it could be started.") if waited >= seconds_of(allowed) else None
        return ("RUNNING", "") if instance and instance.status == "available" else late
    states = {"available": ("COMPLETED", ""), "failed": ("FAILED", "the snapshot failed")}
    if state := states.get(snapshot_of(rds, str(job["RecoveryPointArn"])).status):
        return state
    whole = seconds_of(float(str(job["Window"])) * 60)
    return ("EXPIRED", "Backup job did not complete within its window.") if waited >= whole else None
