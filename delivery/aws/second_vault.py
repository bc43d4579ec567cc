"""What is in the vault of a second region: copies of an instance's backups, each a snapshot of RDS there.

Both Headway's and those of a plan of AWS Backup are there, and neither says what is in it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.backup_jobs import BackupJobs
from delivery.aws.failures import aws_errors
from delivery.aws.second_settings import SecondSettings
from delivery.errors import HeadwayError, Misconfigured

WHOLE = ("COMPLETED", "AVAILABLE")
SHOWN = 5
# Of what AWS Backup tells of an instance, what is another region's there, or what a restore is given by us.
_OF_ELSEWHERE = ("availabilityzone", "dbname", "dbsubnetgroupname", "vpcsecuritygroupids", "optiongroupname", "multiaz")


@dataclass(frozen=True)
class Point:
    """A copy: the moment that it is of, and when it was there."""

    arn: str
    at: datetime
    there: datetime

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.at.astimezone(UTC):%Y%m%d-%H%M%S}"

    @property
    def snapshot(self) -> str:
        """The snapshot of RDS that it is."""
        return self.arn.partition(":snapshot:")[2]


@dataclass(frozen=True)
class SecondVault:
    """The vault there; `instance` is in region `home`, which is not asked."""

    jobs: BackupJobs
    rds: Any
    settings: SecondSettings
    instance: str
    home: str

    def points(self) -> list[Point]:
        """Return the copies of the instance, the newest first."""
        named = {"BackupVaultName": self.settings.copy_name}
        with self.jobs.told("backup:ListRecoveryPointsByBackupVault"):
            pages = self.jobs.client.get_paginator("list_recovery_points_by_backup_vault").paginate(**named)
            found = [one for page in pages for one in page["RecoveryPoints"]]
        mine = [one for one in found if one["Status"] in WHOLE and self._is_own(str(one["ResourceArn"]))]
        moments = self._moments() if mine else {}
        points = [
            Point(str(one["RecoveryPointArn"]), moments.get(one["RecoveryPointArn"], one["CreationDate"]), _there(one))
            for one in mine
        ]
        return sorted(points, key=lambda one: (one.at, one.there), reverse=True)

    def point(self, name: str) -> Point:
        """Return a copy by its name, or by how that begins; `latest` is the newest. Misconfigured, with those there."""
        known = self.points()
        matching = known[:1] if name == "latest" else [one for one in known if one.name.startswith(name)]
        if len({one.name for one in matching}) != 1 or not name:
            raise Misconfigured(
                f"copy {name} in {self.settings.place}",
                "fits several" if matching else "is not there",
                ", ".join(one.name for one in known[:SHOWN]) or f"none of instance {self.instance} is there",
                "headway backups shows the newest one",
            )
        return matching[0]

    def metadata(self, point: Point, instance: str) -> dict[str, str]:
        """Return all that a copy is restored with, into a new instance: what it had, with what there is in the region.

        Of what is not said AWS would take its defaults: the default network, security group and parameter group. Names
        are not case sensitive: https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-rds.html
        """
        named = {"BackupVaultName": self.settings.copy_name, "RecoveryPointArn": point.arn}
        with self.jobs.told("backup:GetRecoveryPointRestoreMetadata"):
            told: Mapping[str, str] = self.jobs.client.get_recovery_point_restore_metadata(**named)["RestoreMetadata"]
        own = {
            "DBInstanceIdentifier": instance,
            "DBSubnetGroupName": self.settings.subnet_group or "",
            "VpcSecurityGroupIds": json.dumps(list(self.settings.security_groups)),
            "DBParameterGroupName": self.settings.parameter_group or "",
            "MultiAZ": "false",
            "PubliclyAccessible": "false",
            "AutoMinorVersionUpgrade": "false",
            "DeletionProtection": "false",
            "CopyTagsToSnapshot": "false",
        }
        given = {one.lower() for one in own}
        kept = {name: value for name, value in told.items() if name.lower() not in (*given, *_OF_ELSEWHERE)}
        return {name: value for name, value in (kept | own).items() if value}

    def _is_own(self, resource: str) -> bool:
        return resource.split(":")[3] == self.home and resource.endswith(f":db:{self.instance}")

    def _moments(self) -> dict[str, datetime]:
        """Return the moment that each snapshot is of, which RDS alone knows of a copy; none when it does not say.

        https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBSnapshot.html (OriginalSnapshotCreateTime)
        """
        try:
            with aws_errors("rds"):
                pages = self.rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="awsbackup")
                found = [one for page in pages for one in page["DBSnapshots"]]
        except HeadwayError as error:
            if isinstance(error.__cause__, ClientError):
                return {}
            raise
        return {
            one["DBSnapshotArn"]: one.get("OriginalSnapshotCreateTime") or one["SnapshotCreateTime"] for one in found
        }


def _there(found: Mapping[str, Any]) -> datetime:
    at: datetime = found.get("CompletionDate") or found["CreationDate"]
    return at
