"""AWS Backup's jobs: instances of RDS are backed up, copied to a vault of another region, and restored there.

What a request wants is a job; the agent looks at the instance or snapshot behind it and reports how far it is.
Resources of other kinds are backed up by nobody here, so that no job is PARTIAL, as one of several parts may be,
unless a fault says so.
"""

import json
import time
from typing import Any

from moto.backup.models import backup_backends
from moto.backup.responses import BackupResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random
from moto.rds.models import DBInstance, RDSBackend, rds_backends

from local_aws import reports
from local_aws.services import backup_points, backup_telling
from local_aws.services.backup_records import JOBS, records_at, records_of
from local_aws.services.backup_telling import ID, STATE, job_of
from local_aws.services.errors import Refusal
from local_aws.services.rds_snapshots import snapshot_of

REPORT = "backup-job"
# Of jobs that still go on, by their kinds.
GOING = ("CREATED", "PENDING", "RUNNING")
START_MINUTES, COMPLETE_MINUTES = 480, 10080


def start_backup_job(self: BackupResponse) -> ActionResult:
    """Begin a backup of an instance, once it is available: "Starts an on-demand backup job for the specified resource."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartBackupJob.html
    """
    asked = json.loads(self.body)
    if known := _known(self, "backup", asked):
        return known
    vault = self.backup_backend.vaults.get(asked["BackupVaultName"])
    if vault is None:
        raise Refusal("ResourceNotFoundException", f"Backup vault {asked['BackupVaultName']} does not exist")
    instance = _instance(self, asked["ResourceArn"])
    window = int(asked.get("StartWindowMinutes") or START_MINUTES)
    if window < 60:
        raise Refusal("InvalidParameterValueException", "StartWindowMinutes must be at least 60 minutes")
    job = _begun(self, "backup", asked) | {
        "BackupVaultName": vault.backup_vault_name,
        "BackupVaultArn": vault.backup_vault_arn,
        "ResourceArn": instance.db_instance_arn,
        "ResourceName": instance.db_instance_identifier,
        "StartBy": time.time() + window * 60,
        "Window": int(asked.get("CompleteWindowMinutes") or COMPLETE_MINUTES),
        "RecoveryPointTags": asked.get("RecoveryPointTags") or {},
        "RecoveryPointLifecycle": asked.get("Lifecycle"),
    }
    return _answer(self, "backup", job)


def start_copy_job(self: BackupResponse) -> ActionResult:
    """Begin a copy into a vault that may be in another region: "Starts a job to create a one-time copy of the specified
    resource."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartCopyJob.html
    """
    asked = json.loads(self.body)
    if known := _known(self, "copy", asked):
        return known
    point = backup_points.point_in(self, asked["SourceBackupVaultName"], asked["RecoveryPointArn"])
    destination = asked["DestinationBackupVaultArn"]
    if backup_points.vault_by_arn(destination) is None:
        raise Refusal("InvalidParameterValueException", f"Invalid destination backup vault {destination}")
    job = _begun(self, "copy", asked) | {
        "SourceBackupVaultArn": point["BackupVaultArn"],
        "SourceRecoveryPointArn": point["RecoveryPointArn"],
        "DestinationBackupVaultArn": destination,
        "ResourceArn": point["ResourceArn"],
        "BackupSizeInBytes": point["BackupSizeInBytes"],
        "DestinationRecoveryPointLifecycle": asked.get("Lifecycle"),
    }
    return _answer(self, "copy", job)


def start_restore_job(self: BackupResponse) -> ActionResult:
    """Begin another instance with what a recovery point holds; its metadata say all of it: "Recovers the saved resource
    identified by an Amazon Resource Name (ARN)."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html
    """
    asked = json.loads(self.body)
    if known := _known(self, "restore", asked):
        return known
    point = records_of(self).points.get(asked["RecoveryPointArn"])
    if point is None:
        raise Refusal("ResourceNotFoundException", f"Recovery point {asked['RecoveryPointArn']} does not exist")
    job = _begun(self, "restore", asked) | {
        "RecoveryPointArn": point["RecoveryPointArn"],
        "BackupVaultArn": point["BackupVaultArn"],
        "SourceResourceArn": point["ResourceArn"],
        "BackupSizeInBytes": point["BackupSizeInBytes"],
        "RecoveryPointCreationDate": point["CreationDate"],
        "Metadata": asked["Metadata"],
    }
    return _answer(self, "restore", job)


def stop_backup_job(self: BackupResponse) -> EmptyResult:
    """End a job that goes on: "Attempts to cancel a job to create a one-time backup of a resource."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StopBackupJob.html
    """
    job = job_of(self, "backup")
    if job["State"] not in GOING:
        raise Refusal("InvalidRequestException", f"Backup job {job['BackupJobId']} is {job['State']}")
    _ended(job, "backup", "ABORTED", "it was stopped")
    backup_points.remove_snapshot(job.get("RecoveryPointArn", ""))
    return EmptyResult()


def going() -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return account, region, kind and record of the jobs that go on."""
    return [
        (account, region, kind, job)
        for (account, region), jobs in list(JOBS.items())
        for kind, of_kind in jobs.items()
        for job in list(of_kind.values())
        if job[STATE[kind]] in GOING
    ]


def tell(account: str, region: str, kind: str, job: dict[str, Any], state: str, message: str = "") -> None:
    """Report how far a job is."""
    about = {"account": account, "region": region, "kind": kind, "id": job[ID[kind]]}
    reports.tell(REPORT, {**about, "state": state, "message": message})


def take_report(told: dict[str, Any]) -> None:
    """Record how far a job is, with what that means for its snapshot, its recovery point or its instance."""
    account, region, kind = told["account"], told["region"], told["kind"]
    job = JOBS.get((account, region), {}).get(kind, {}).get(told["id"])
    if job is None or job[STATE[kind]] not in GOING:
        return
    if told["state"] == "RUNNING":
        job[STATE[kind]] = "RUNNING"
        try:
            _check_lock(kind, job)
            _run(account, region, kind, job)
        except ServiceException as error:  # AWS tells it with the job as well
            _ended(job, kind, "FAILED", str(error))
        return
    _ended(job, kind, told["state"], told["message"])
    if told["state"] == "COMPLETED" and kind != "restore":
        where = region if kind == "backup" else job["DestinationBackupVaultArn"].split(":")[3]
        point = backup_points.made(job, account, where)
        records_at(account, where).points[point["RecoveryPointArn"]] = point
        told_tags = job.get("RecoveryPointTags") or {}
        backup_backends[account][where].tag_resource(point["RecoveryPointArn"], told_tags)
    elif kind != "restore":
        backup_points.remove_snapshot(job.get("DestinationRecoveryPointArn") or job.get("RecoveryPointArn", ""))


def _run(account: str, region: str, kind: str, job: dict[str, Any]) -> None:
    """Begin what a job is for."""
    if kind == "backup":
        rds = rds_backends[account][region]
        name = f"awsbackup:job-{job['BackupJobId'].lower()}"
        snapshot = rds.create_db_snapshot(job["ResourceName"], name, snapshot_type="awsbackup")
        job |= {"RecoveryPointArn": snapshot.db_snapshot_arn, "InitiationDate": time.time()}
    elif kind == "copy":
        there: RDSBackend = rds_backends[account][job["DestinationBackupVaultArn"].split(":")[3]]
        name = f"awsbackup:copyjob-{job['CopyJobId'].lower()}"
        copied = there.copy_db_snapshot(job["SourceRecoveryPointArn"], name)
        copied.snapshot_type = "awsbackup"
        job["DestinationRecoveryPointArn"] = copied.db_snapshot_arn
    else:
        instance = backup_points.restored(rds_backends[account][region], job["RecoveryPointArn"], job["Metadata"])
        job["CreatedResourceArn"] = instance.db_instance_arn


def _check_lock(kind: str, job: dict[str, Any]) -> None:
    """Return when a vault that is locked takes what a job makes: "If the job's retention period is shorter than that
    minimum retention period, then the vault fails that backup or copy job"; so with a longer one than its maximum.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html
    """
    vault = backup_points.vault_by_arn(str(job.get("DestinationBackupVaultArn") or job["BackupVaultArn"]))
    if kind == "restore" or vault is None:
        return
    asked = job.get("RecoveryPointLifecycle") or job.get("DestinationRecoveryPointLifecycle") or {}
    days = asked.get("DeleteAfterDays")
    least, most = vault.min_retention_days, vault.max_retention_days
    if (least and days and days < least) or (most and (days is None or days > most)):
        told = "for ever" if days is None else f"{days} days"
        raise Refusal("InvalidParameterValueException", f"Retention of {told} is not within {least} to {most} days")


def _ended(job: dict[str, Any], kind: str, state: str, message: str) -> None:
    job |= {
        STATE[kind]: state,
        "CompletionDate": time.time(),
        "PercentDone": "100.0" if state == "COMPLETED" else "0.0",
    }
    if message:
        job["StatusMessage"] = message
    if kind == "backup" and state == "COMPLETED":
        snapshot = snapshot_of(rds_backends[job["AccountId"]][job["Region"]], job["RecoveryPointArn"])
        job["BackupSizeInBytes"] = int(snapshot.allocated_storage) * 2**30


def _begun(response: BackupResponse, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        ID[kind]: str(mock_random.uuid4()).upper(),
        "AccountId": response.current_account,
        "Region": response.region,
        "CreationDate": time.time(),
        STATE[kind]: "PENDING" if kind == "restore" else "CREATED",
        "PercentDone": "0.0",
        "IamRoleArn": asked.get("IamRoleArn"),
        "ResourceType": "RDS",
        "IsParent": False,
    }


def _answer(response: BackupResponse, kind: str, job: dict[str, Any]) -> ActionResult:
    """Keep a job, with the token that names it for whoever asks again, and tell which it is."""
    records, asked = records_of(response), json.loads(response.body)
    JOBS.setdefault((response.current_account, response.region), {}).setdefault(kind, {})[job[ID[kind]]] = job
    if token := asked.get("IdempotencyToken"):
        records.tokens[f"{kind} {token}"] = {"asked": asked, "job": job}
    return ActionResult(_name(kind, job))


def _known(response: BackupResponse, kind: str, asked: dict[str, Any]) -> ActionResult | None:
    """Return the answer to whoever asks again: "Retrying a successful request with the same idempotency token results
    in a success message with no action taken."
    """
    found: dict[str, Any] | None = records_of(response).tokens.get(f"{kind} {asked.get('IdempotencyToken')}")
    if found is None:
        return None
    if found["asked"] != asked:
        raise Refusal("InvalidParameterValueException", "The idempotency token was used for another request")
    return ActionResult(_name(kind, found["job"]))


def _name(kind: str, job: dict[str, Any]) -> dict[str, Any]:
    named = {ID[kind]: job[ID[kind]]}
    return named if kind == "restore" else {**named, "CreationDate": job["CreationDate"], "IsParent": False}


def _instance(response: BackupResponse, arn: str) -> DBInstance:
    backend = rds_backends[response.current_account][response.region]
    for one in backend.databases.values():
        if one.db_instance_arn == arn:
            return one
    raise Refusal("InvalidParameterValueException", f"{arn} is no instance of RDS, and nothing else is backed up here")


def add() -> None:
    """Put them beside moto's."""
    backup_telling.add()
    reports.TAKEN[REPORT] = take_report
    for operation in (
        start_backup_job,
        start_copy_job,
        start_restore_job,
        stop_backup_job,
    ):
        setattr(BackupResponse, operation.__name__, operation)
