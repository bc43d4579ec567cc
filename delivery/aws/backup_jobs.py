"""AWS Backup's jobs: each is started once for a token, however often that is asked, and waited for to its end.

https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartBackupJob.html (IdempotencyToken)
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from botocore.exceptions import ClientError

from delivery.aws.failures import DENIED, UNKNOWN_KEYS, aws_errors, code_of
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.waiting import until

Kind = Literal["backup", "copy", "restore"]
GOING = ("CREATED", "PENDING", "RUNNING", "ABORTING")
COMPLETED = "COMPLETED"
# A copy goes to another region, and a large database is restored in hours.
BACKUP_SECONDS, COPY_SECONDS, RESTORE_SECONDS, POLL_SECONDS = 14400.0, 43200.0, 14400.0, 5.0
START_MINUTES = 60  # the least that AWS takes: in the window of a scheduled backup of RDS a job waits that long
_STATE: Mapping[Kind, str] = {"backup": "State", "copy": "State", "restore": "Status"}
_NEXT: Mapping[str, str] = {
    "EXPIRED": "it did not begin in time: the instance has to be available, and not within its own backup window",
    "ABORTED": "somebody stopped it: take it again",
    "PARTIAL": "a part is not in it, so it is no backup: take it again, and look at the job in AWS Backup",
    "FAILED": "look at the role of AWS Backup, the lock and the key of the vault, then take it again",
}

_NAMED = "name a vault that is there: target.second_region, or the output backup of the infrastructure"
_WHO = "the role or user of the phase backup"
_NOT_TAKEN = ("InvalidParameterValueException", "InvalidRequestException")


@dataclass(frozen=True)
class Job:
    """A job as AWS Backup tells of it."""

    kind: Kind
    id: str
    found: Mapping[str, Any]

    @property
    def state(self) -> str:
        """CREATED, RUNNING, COMPLETED, and so on; also one that AWS has since."""
        return str(self.found[_STATE[self.kind]])

    @property
    def created(self) -> datetime:
        """When it was asked for, by AWS's clock."""
        at: datetime = self.found["CreationDate"]
        return at

    @property
    def trouble(self) -> str:
        """Why it is no success, in AWS's words, and what comes next; empty: it is one, or goes on."""
        if self.state == COMPLETED or self.state in GOING:
            return ""
        told = str(self.found.get("StatusMessage") or "AWS Backup does not say why")
        return f"{self.kind} job {self.id} is {self.state}: {told}; next: {_NEXT.get(self.state, 'look at it in AWS')}"


class BackupJobs:
    """The jobs of one region, done as a role; `vault` is the region's own, for what is told of its errors."""

    def __init__(self, client: Any, role: str, vault: str) -> None:
        self.client, self.role, self.vault = client, role, vault
        self.region = str(client.meta.region_name)

    def back_up(self, instance_arn: str, token: str, *, keep_days: int, tags: Mapping[str, str]) -> Job:
        """Begin a backup of an instance into the vault, and return its job."""
        with self.told("backup:StartBackupJob"):
            answer = self.client.start_backup_job(
                BackupVaultName=self.vault,
                ResourceArn=instance_arn,
                IamRoleArn=self.role,
                IdempotencyToken=token,
                StartWindowMinutes=START_MINUTES,
                Lifecycle={"DeleteAfterDays": keep_days},
                RecoveryPointTags=dict(tags),
            )
        return self.look("backup", answer["BackupJobId"])

    def copy(self, point: str, copy_vault: str, token: str, *, keep_days: int) -> Job:
        """Begin a copy of a recovery point of the vault into another one, and return its job."""
        with self.told("backup:StartCopyJob", also=copy_vault):
            answer = self.client.start_copy_job(
                RecoveryPointArn=point,
                SourceBackupVaultName=self.vault,
                DestinationBackupVaultArn=copy_vault,
                IamRoleArn=self.role,
                IdempotencyToken=token,
                Lifecycle={"DeleteAfterDays": keep_days},
            )
        return self.look("copy", answer["CopyJobId"])

    def restore(self, point: str, metadata: Mapping[str, str], token: str) -> Job:
        """Begin to restore a recovery point with what the metadata say in full, and return its job."""
        with self.told("backup:StartRestoreJob"):
            answer = self.client.start_restore_job(
                RecoveryPointArn=point,
                Metadata=dict(metadata),
                IamRoleArn=self.role,
                IdempotencyToken=token,
                ResourceType="RDS",
                CopySourceTagsToRestoredResource=False,
            )
        return self.look("restore", answer["RestoreJobId"])

    def look(self, kind: Kind, job: str) -> Job:
        """Return a job as it is now."""
        describe: Mapping[Kind, Callable[[], Any]] = {
            "backup": lambda: self.client.describe_backup_job(BackupJobId=job),
            "copy": lambda: self.client.describe_copy_job(CopyJobId=job)["CopyJob"],
            "restore": lambda: self.client.describe_restore_job(RestoreJobId=job),
        }
        with self.told(f"backup:Describe{kind.capitalize()}Job"):
            return Job(kind, job, describe[kind]())

    def ended(self, job: Job, seconds: float) -> Job:
        """Return a job at its end, whichever that is; Transient when it has none within `seconds`."""

        def look() -> Job | None:
            now = self.look(job.kind, job.id)
            return None if now.state in GOING else now

        found = until(look, seconds=seconds, every=POLL_SECONDS)
        if found is None:
            raise Transient(f"{job.kind} job {job.id} of AWS Backup in {self.region} goes on after {seconds:g} s")
        return found

    def copies_to(self, copy_vault: str, instance: str) -> list[Job]:
        """Return the copies that were asked for of an instance, the oldest first."""
        with self.told("backup:ListCopyJobs"):
            pages = self.client.get_paginator("list_copy_jobs").paginate(ByDestinationVaultArn=copy_vault)
            found = [Job("copy", one["CopyJobId"], one) for page in pages for one in page["CopyJobs"]]
        mine = (one for one in found if str(one.found["ResourceArn"]).endswith(f":db:{instance}"))
        return sorted(mine, key=lambda one: one.created)

    def restores_into(self, instance_arn: str, point: str) -> list[Job]:
        """Return the jobs that made an instance of a recovery point."""
        with self.told("backup:ListRestoreJobs"):
            pages = self.client.get_paginator("list_restore_jobs").paginate(ByResourceType="RDS")
            found = [Job("restore", one["RestoreJobId"], one) for page in pages for one in page["RestoreJobs"]]
        wanted = (instance_arn, point)
        return [one for one in found if (one.found.get("CreatedResourceArn"), one.found["RecoveryPointArn"]) == wanted]

    def told(self, action: str, also: str = "") -> AbstractContextManager[None]:
        """Return what turns errors of AWS Backup into Headway's, with region, vault and action in them."""
        return vault_errors(self.region, f"{self.vault} (to {also})" if also else self.vault, action)


@contextmanager
def vault_errors(region: str, vault: str, action: str) -> Iterator[None]:
    """Turn AWS Backup's errors into Headway's: what is not there, or not allowed, is Misconfigured.

    AWS Backup says of a vault that is not there that one may not, as of one that one may not use.
    """
    where = f"vault {vault} of AWS Backup in {region}"
    try:
        with aws_errors("backup"):
            yield
    except (Misconfigured, Rejected) as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError):
            raise
        code, said = code_of(cause), str(cause.response.get("Error", {}).get("Message", ""))
        if code in DENIED:
            raise Misconfigured(where, f"{code}: {said}", next_step=f"{_NAMED}; allow {action} to {_WHO}") from cause
        if code in UNKNOWN_KEYS:
            raise Misconfigured(where, f"{code}: {said}", next_step=f"enable {region} in the account") from cause
        if code == "ResourceNotFoundException" or (code in _NOT_TAKEN and "vault" in said):
            raise Misconfigured(where, said, next_step=_NAMED) from cause
        raise


def token_of(*of: str) -> str:
    """Return the idempotency token of a request: always the same of the same."""
    return sha256(chr(0).join(of).encode()).hexdigest()[:40]
