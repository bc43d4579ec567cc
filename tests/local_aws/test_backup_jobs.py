"""AWS Backup: instances of RDS are backed up, copied to another region, and restored there with what was in them.

What AWS says stands with each operation in local_aws/services/backup_jobs.py and backup_points.py.
"""

import json
import signal

import pytest

from delivery.waiting import until
from local_aws import pace
from tests.local_aws.test_rds import SMALL, error_of
from tests.local_aws.test_rds_backups import FIRST, PASSWORD, SECOND, Kept
from tests.support.ecs import ROLE
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.xdist_group("local-aws-rds")]
AWAY = "eu-west-1"
STATE = {"backup": "State", "copy": "State", "restore": "Status"}


class Jobs:
    """Jobs of one region."""

    def __init__(self, server, region="us-east-1") -> None:
        self.ask = server.client("backup", region=region)
        self.describe = {
            "backup": lambda job: self.ask.describe_backup_job(BackupJobId=job),
            "copy": lambda job: self.ask.describe_copy_job(CopyJobId=job)["CopyJob"],
            "restore": lambda job: self.ask.describe_restore_job(RestoreJobId=job),
        }

    def ended(self, kind, job):
        def told():
            found = self.describe[kind](job)
            return found if found[STATE[kind]] not in ("CREATED", "PENDING", "RUNNING") else None

        return until(told, seconds=120, every=0.1)

    def begin(self, arn, token="first", **more):  # names a request
        asked = {"BackupVaultName": "vault", "ResourceArn": arn, "IamRoleArn": ROLE, "IdempotencyToken": token}
        return self.ask.start_backup_job(**asked, **more)["BackupJobId"]


@pytest.fixture(scope="module")
def rds(tmp_path_factory):
    """`shop`, with a row in it."""
    with pytest.MonkeyPatch.context() as patched, own_platform(tmp_path_factory.mktemp("rds")) as home:
        patched.setenv(pace.VARIABLE, "1")
        with local_aws(home.root) as server:
            rds = Kept(server, home)
            rds.ask.create_db_instance(**SMALL, DBInstanceIdentifier="shop", MasterUserPassword=PASSWORD)
            rds.awaited("shop")
            rds.run("shop", "create table kept (n int)", FIRST)
            yield rds


@pytest.fixture(scope="module")
def jobs(rds):
    here = Jobs(rds.server)
    here.ask.create_backup_vault(BackupVaultName="vault")
    return here


@pytest.fixture(scope="module")
def away(rds):
    there = Jobs(rds.server, AWAY)
    there.vault = there.ask.create_backup_vault(BackupVaultName="away")["BackupVaultArn"]
    return there


@pytest.fixture(scope="module")
def point(rds, jobs):
    """The ARN of a recovery point of one row."""
    arn = jobs.ended("backup", jobs.begin(rds.described("shop")["DBInstanceArn"]))["RecoveryPointArn"]
    rds.run("shop", SECOND)
    return arn


def test_a_backup_is_made_once_for_a_token_and_told(rds, jobs, point):
    arn = rds.described("shop")["DBInstanceArn"]

    again = jobs.begin(arn)

    told = jobs.ask.describe_backup_job(BackupJobId=again)
    assert (told["State"], told["PercentDone"], told["RecoveryPointArn"]) == ("COMPLETED", "100.0", point)
    [listed] = jobs.ask.list_recovery_points_by_backup_vault(BackupVaultName="vault")["RecoveryPoints"]
    assert (listed["RecoveryPointArn"], listed["Status"], listed["ResourceType"]) == (point, "COMPLETED", "RDS")
    assert error_of(jobs.begin, arn=arn, StartWindowMinutes=90) == "InvalidParameterValueException"
    assert [one["BackupJobId"] for one in jobs.ask.list_backup_jobs(ByState="COMPLETED")["BackupJobs"]] == [again]
    kind = rds.ask.describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"][0]["SnapshotType"]
    assert kind == "awsbackup"
    assert error_of(jobs.ask.delete_backup_vault, BackupVaultName="vault") == "InvalidRequestException"


def test_a_copy_in_a_second_region_is_restored_there_with_what_was_in_it(rds, jobs, away, point):
    asked = {"SourceBackupVaultName": "vault", "RecoveryPointArn": point, "IamRoleArn": ROLE}
    copying = jobs.ask.start_copy_job(**asked, DestinationBackupVaultArn=away.vault, IdempotencyToken="copy")
    copied = jobs.ended("copy", copying["CopyJobId"])["DestinationRecoveryPointArn"]
    given = {"BackupVaultName": "away", "RecoveryPointArn": copied}
    metadata = away.ask.get_recovery_point_restore_metadata(**given)["RestoreMetadata"]
    own = {"DBInstanceIdentifier": "shop", "VpcSecurityGroupIds": "[]"}
    restoring = {"RecoveryPointArn": copied, "Metadata": metadata | own, "IamRoleArn": ROLE, "IdempotencyToken": "back"}

    first, again = (away.ask.start_restore_job(**restoring)["RestoreJobId"] for _ in range(2))

    told, there = away.ended("restore", first), Kept(rds.server, rds.home)
    there.ask = rds.server.client("rds", region=AWAY)
    assert (first, told["Status"], metadata["DBInstanceClass"]) == (again, "COMPLETED", "db.t4g.micro")
    assert told["CreatedResourceArn"] == there.described("shop")["DBInstanceArn"]
    assert (there.rows("shop"), rds.rows("shop")) == ([1], [1, 2])
    assert away.ask.describe_recovery_point(**given)["ResourceArn"] == rds.described("shop")["DBInstanceArn"]
    there.gone("shop")


def test_a_restore_that_cannot_be_fails_with_why(jobs, point):
    cases = {
        "{}": "DBInstanceIdentifier must be specified",
        json.dumps({"DBInstanceIdentifier": "shop"}): "already exists",
        json.dumps({"DBInstanceIdentifier": "no", "DBSubnetGroupName": "none"}): "Subnet Group none not found",
        json.dumps({"dbInstanceIdentifier": "shop"}): "already exists",
        json.dumps({"DBInstanceIdentifier": "no", "ManageMasterUserPassword": "true"}): "unrecognized keys Manage",
    }
    for metadata, said in cases.items():
        job = jobs.ask.start_restore_job(RecoveryPointArn=point, Metadata=json.loads(metadata), IamRoleArn=ROLE)
        told = jobs.ended("restore", job["RestoreJobId"])
        assert (told["Status"], said in told["StatusMessage"]) == ("FAILED", True), told


def test_a_job_that_cannot_start_expires_and_one_that_is_stopped_is_aborted(rds, jobs):
    arn = rds.described("shop")["DBInstanceArn"]
    rds.ask.stop_db_instance(DBInstanceIdentifier="shop")
    rds.awaited("shop", "stopped")
    waiting, stopped = jobs.begin(arn, "waiting", StartWindowMinutes=60), jobs.begin(arn, "stopped")

    jobs.ask.stop_backup_job(BackupJobId=stopped)

    assert jobs.ended("backup", stopped)["State"] == "ABORTED"
    assert jobs.ended("backup", waiting)["State"] == "EXPIRED"
    assert error_of(jobs.ask.stop_backup_job, BackupJobId=stopped) == "InvalidRequestException"
    rds.ask.start_db_instance(DBInstanceIdentifier="shop")
    rds.awaited("shop")


def test_what_is_not_there_is_neither_backed_up_nor_copied_nor_restored(jobs, away, point):
    none = point.replace("job-", "job-none-")
    copying = {"SourceBackupVaultName": "vault", "IamRoleArn": ROLE, "DestinationBackupVaultArn": away.vault}

    found = {
        "resource": error_of(jobs.begin, arn="arn:aws:rds:us-east-1:123456789012:db:none", token="none"),
        "job": error_of(jobs.ask.describe_backup_job, BackupJobId="none"),
        "point": error_of(jobs.ask.start_copy_job, RecoveryPointArn=none, **copying),
        "vault": error_of(
            jobs.ask.start_copy_job,
            RecoveryPointArn=point,
            **{**copying, "DestinationBackupVaultArn": away.vault.replace("away", "none")},
        ),
        "restore": error_of(
            jobs.ask.start_restore_job, RecoveryPointArn=none, Metadata={"DBInstanceIdentifier": "no"}, IamRoleArn=ROLE
        ),
    }

    assert found == {
        "resource": "InvalidParameterValueException",
        "job": "ResourceNotFoundException",
        "point": "ResourceNotFoundException",
        "vault": "InvalidParameterValueException",
        "restore": "ResourceNotFoundException",
    }


@pytest.mark.parametrize(("kind", "state"), [("error", "FAILED"), ("partial", "PARTIAL")])
def test_a_job_ends_as_a_fault_says_and_keeps_nothing(rds, jobs, kind, state):
    before = len(rds.ask.describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"])
    rds.server.put_faults({"service": "backup-agent", "operation": "backup job", "kind": kind, "reason": "as was said"})

    told = jobs.ended("backup", jobs.begin(rds.described("shop")["DBInstanceArn"], f"fault-{kind}"))

    assert (told["State"], told["StatusMessage"]) == (state, "as was said")
    assert len(rds.ask.describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"]) == before


def test_a_vault_that_is_locked_takes_what_is_kept_for_as_long_as_it_says(rds, jobs):
    named, arn = {"BackupVaultName": "vault"}, rds.described("shop")["DBInstanceArn"]
    jobs.ask.put_backup_vault_lock_configuration(**named, MinRetentionDays=7, MaxRetentionDays=30)
    cases = {None: "FAILED", 6: "FAILED", 31: "FAILED", 7: "COMPLETED"}

    begun = {
        days: jobs.begin(arn, f"locked-{days}", **({"Lifecycle": {"DeleteAfterDays": days}} if days else {}))
        for days in cases
    }

    assert {days: jobs.ended("backup", job)["State"] for days, job in begun.items()} == cases
    jobs.ask.delete_backup_vault_lock_configuration(**named)


def test_jobs_and_recovery_points_are_the_same_after_a_kill(rds, jobs, point):
    def told():
        points = jobs.ask.list_recovery_points_by_backup_vault(BackupVaultName="vault")["RecoveryPoints"]
        return jobs.ask.list_backup_jobs()["BackupJobs"], points

    before = told()
    rds.server.stop(signal.SIGKILL)
    rds.server.start()

    assert told() == before
    rds.awaited("shop")


def test_a_recovery_point_that_is_deleted_is_gone_with_its_snapshot(rds, jobs):
    arn = jobs.ended("backup", jobs.begin(rds.described("shop")["DBInstanceArn"], "last"))["RecoveryPointArn"]

    jobs.ask.delete_recovery_point(BackupVaultName="vault", RecoveryPointArn=arn)

    asked = {"BackupVaultName": "vault", "RecoveryPointArn": arn}
    assert error_of(jobs.ask.describe_recovery_point, **asked) == "ResourceNotFoundException"
    names = [one["DBSnapshotArn"] for one in rds.ask.describe_db_snapshots(SnapshotType="awsbackup")["DBSnapshots"]]
    assert arn not in names
