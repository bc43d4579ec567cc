"""What AWS Backup tells of its jobs."""

from typing import Any

from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult

from local_aws.services.backup_records import JOBS, Kept, page, path_parts
from local_aws.services.errors import Refusal

STATE = {"backup": "State", "copy": "State", "restore": "Status"}
ID = {"backup": "BackupJobId", "copy": "CopyJobId", "restore": "RestoreJobId"}


def describe_backup_job(self: BackupResponse) -> ActionResult:
    """Return a job: "Returns backup job details for the specified BackupJobId."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeBackupJob.html
    """
    return ActionResult(_told(job_of(self, "backup")))


def describe_copy_job(self: BackupResponse) -> ActionResult:
    """Return a job: "Returns metadata associated with creating a copy of a resource."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeCopyJob.html
    """
    return ActionResult({"CopyJob": _told(job_of(self, "copy"))})


def describe_restore_job(self: BackupResponse) -> ActionResult:
    """Return a job: "Returns metadata associated with a restore job that is specified by a job ID."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRestoreJob.html
    """
    return ActionResult(_told(job_of(self, "restore")))


def get_restore_job_metadata(self: BackupResponse) -> ActionResult:
    """Return with what a job restores: "This request returns the metadata for the specified restore job."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetRestoreJobMetadata.html
    """
    job = job_of(self, "restore")
    return ActionResult({"RestoreJobId": job["RestoreJobId"], "Metadata": job["Metadata"]})


def list_backup_jobs(self: BackupResponse) -> ActionResult:
    """Return the jobs: "Returns a list of existing backup jobs for an authenticated account for the last 30 days."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupJobs.html
    """
    return _listed(
        self, "backup", {"state": "State", "backupVaultName": "BackupVaultName", "resourceArn": "ResourceArn"}
    )


def list_copy_jobs(self: BackupResponse) -> ActionResult:
    """Return the jobs: "Returns metadata about your copy jobs."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListCopyJobs.html
    """
    return _listed(
        self,
        "copy",
        {"state": "State", "destinationVaultArn": "DestinationBackupVaultArn", "resourceArn": "ResourceArn"},
    )


def list_restore_jobs(self: BackupResponse) -> ActionResult:
    """Return the jobs: "Returns a list of jobs that AWS Backup initiated to restore a saved resource."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobs.html
    """
    return _listed(self, "restore", {"status": "Status"})


def _told(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if name not in ("Metadata", "Region", "Window")}


def job_of(response: BackupResponse, kind: str) -> dict[str, Any]:
    """Return the job that a request names; ResourceNotFoundException when there is none."""
    name = path_parts(response)[1]
    jobs: Kept = JOBS.get((response.current_account, response.region), {}).get(kind, {})
    if name not in jobs:
        raise Refusal("ResourceNotFoundException", f"Cannot find {kind} job {name}")
    return jobs[name]


def _listed(response: BackupResponse, kind: str, filters: dict[str, str]) -> ActionResult:
    jobs: Kept = JOBS.get((response.current_account, response.region), {}).get(kind, {})
    query = {name: response.querystring[asked][0] for asked, name in filters.items() if asked in response.querystring}
    found = [_told(one) for one in jobs.values() if all(one.get(name) == value for name, value in query.items())]
    return page(response, f"{kind.capitalize()}Jobs", found)


def add() -> None:
    """Put them beside moto's."""
    for operation in (
        describe_backup_job,
        describe_copy_job,
        describe_restore_job,
        get_restore_job_metadata,
        list_backup_jobs,
        list_copy_jobs,
        list_restore_jobs,
    ):
        setattr(BackupResponse, operation.__name__, operation)
