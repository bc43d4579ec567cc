"""What RDS tells of its automated backups: until when each instance can go back."""

from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.models import DBInstance
from moto.rds.responses import RDSResponse

from local_aws.services.rds_records import DATABASES
from local_aws.services.rds_snapshots import RETAINED, window


def describe_db_instance_automated_backups(self: RDSResponse) -> ActionResult:
    """Return until when each instance can go back, also those that are gone and whose backups were kept.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstanceAutomatedBackups.html
    """
    backend, asked = self.backend, self.params
    there = [one.instance for one in DATABASES.values() if one.instance.backup_retention_period]
    kept = [one.instance for one in RETAINED.values()]
    found = [
        one for one in (*there, *kept) if (one.account_id, one.region) == (backend.account_id, backend.region_name)
    ]
    wanted = {
        "DBInstanceIdentifier": asked.get("DBInstanceIdentifier"),
        "DbiResourceId": asked.get("DbiResourceId"),
        "DBInstanceAutomatedBackupsArn": asked.get("DBInstanceAutomatedBackupsArn"),
    }
    told = [_told(one) for one in found]
    return ActionResult(
        {
            "DBInstanceAutomatedBackups": [
                one for one in told if all(value in (None, one[name]) for name, value in wanted.items())
            ]
        }
    )


def automated_arn(instance: DBInstance) -> str:
    """Return the ARN of what is kept of an instance."""
    key = str(instance.dbi_resource_id).lower()
    return f"arn:aws:rds:{instance.region}:{instance.account_id}:auto-backup:ab-{key.removeprefix('db-')}"


def _told(instance: DBInstance) -> dict[str, Any]:
    key = str(instance.dbi_resource_id)
    between = window(key)
    named = ("allocated_storage", "engine", "engine_version", "master_username", "port", "storage_type")
    camel = ("AllocatedStorage", "Engine", "EngineVersion", "MasterUsername", "Port", "StorageType")
    return {
        "DBInstanceArn": instance.db_instance_arn,
        "DbiResourceId": key,
        "Region": instance.region,
        "DBInstanceIdentifier": instance.db_instance_identifier,
        "DBInstanceAutomatedBackupsArn": automated_arn(instance),
        "Status": "retained" if key in RETAINED else "active" if between else "creating",
        **({"RestoreWindow": {"EarliestTime": between[0], "LatestTime": between[1]}} if between else {}),
        "InstanceCreateTime": instance.created,
        "BackupRetentionPeriod": instance.backup_retention_period,
        **{name: getattr(instance, attribute) for name, attribute in zip(camel, named, strict=True)},
    }


def _latest_restorable_time(self: DBInstance) -> datetime | None:
    """Return it: "The latest time to which a database in this DB instance can be restored with point-in-time
    restore."

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    """
    between = window(str(self.dbi_resource_id))
    return between[1] if between else None


def add() -> None:
    """Put ours in place of moto's."""
    RDSResponse.describe_db_instance_automated_backups = describe_db_instance_automated_backups  # type: ignore
    DBInstance.latest_restorable_time = property(_latest_restorable_time)  # type: ignore[assignment, method-assign]
