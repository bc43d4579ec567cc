"""AWS Backup's recovery points: snapshots of RDS in vaults, and what an instance is restored with."""

import json
from collections.abc import Mapping
from typing import Any

from moto.backup.models import Vault, backup_backends
from moto.backup.responses import BackupResponse
from moto.core.parse import XFormedDict
from moto.core.responses import ActionResult, EmptyResult
from moto.rds.exceptions import DBSnapshotNotFoundFault, InvalidParameterValue
from moto.rds.models import DBInstance, RDSBackend, rds_backends

from local_aws.services.backup_records import page, path_parts, records_of
from local_aws.services.errors import Refusal
from local_aws.services.rds_records import MadeFrom
from local_aws.services.rds_restores import restored as restored_instance
from local_aws.services.rds_snapshots import held_of, snapshot_of

# What of an instance its recovery point tells, by the names that a restore takes.
METADATA = {
    "DBInstanceClass": "db_instance_class",
    "Engine": "engine",
    "Port": "port",
    "StorageType": "storage_type",
    "MultiAZ": "multi_az",
    "PubliclyAccessible": "publicly_accessible",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "AvailabilityZone": "availability_zone",
    "DBName": "db_name",
}
TRUTH = {"true": True, "false": False}
# "Note that key values are not case sensitive"; how long backups are kept, tags and passwords are not among them:
# https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing-inferred-metadata.html
TAKEN = (
    *METADATA,
    "AllocatedStorage",
    "CopyTagsToSnapshot",
    "DBInstanceIdentifier",
    "DBParameterGroupName",
    "DBSubnetGroupName",
    "DeletionProtection",
    "EnableCloudwatchLogsExports",
    "EnableIAMDatabaseAuthentication",
    "Iops",
    "LicenseModel",
    "OptionGroupName",
    "ProcessorFeatures",
    "UseDefaultProcessorFeatures",
    "VpcSecurityGroupIds",
)
_NAMED = {one.lower(): one for one in TAKEN}


def list_recovery_points_by_backup_vault(self: BackupResponse) -> ActionResult:
    """Return what is in a vault: "Returns detailed information about the recovery points stored in a backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRecoveryPointsByBackupVault.html
    """
    name = path_parts(self)[1]
    if name not in self.backup_backend.vaults:
        raise Refusal("ResourceNotFoundException", f"Backup vault {name} does not exist")
    wanted = self.querystring.get("resourceArn", [None])[0]
    return page(self, "RecoveryPoints", [one for one in in_vault(self, name) if wanted in (None, one["ResourceArn"])])


def describe_recovery_point(self: BackupResponse) -> ActionResult:
    """Return a recovery point: "Returns metadata associated with a recovery point, including ID, status, encryption,
    and lifecycle."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRecoveryPoint.html
    """
    _, vault, _, arn = path_parts(self)[:4]
    return ActionResult(point_in(self, vault, arn))


def get_recovery_point_restore_metadata(self: BackupResponse) -> ActionResult:
    """Return with what the instance was made that a recovery point is of: "Returns a set of metadata key-value pairs
    that were used to create the backup."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetRecoveryPointRestoreMetadata.html
    """
    _, vault, _, arn = path_parts(self)[:4]
    point = point_in(self, vault, arn)
    source = snapshot_of(rds_backends[self.current_account][self.region], point["RecoveryPointArn"]).database
    told = {name: _written(getattr(source, attribute)) for name, attribute in METADATA.items()}
    told["VpcSecurityGroupIds"] = json.dumps(source.vpc_security_group_ids)
    if group := getattr(source, "db_subnet_group", None):
        told["DBSubnetGroupName"] = group.name
    named = {"BackupVaultArn": point["BackupVaultArn"], "RecoveryPointArn": arn, "ResourceType": "RDS"}
    return ActionResult({**named, "RestoreMetadata": {name: value for name, value in told.items() if value}})


def delete_recovery_point(self: BackupResponse) -> EmptyResult:
    """Remove a recovery point with its snapshot: "Deletes the recovery point specified by a recovery point ID."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRecoveryPoint.html
    """
    _, vault, _, arn = path_parts(self)[:4]
    point_in(self, vault, arn)
    del records_of(self).points[arn]
    remove_snapshot(arn)
    return EmptyResult()


def in_vault(response: BackupResponse, name: str) -> list[dict[str, Any]]:
    """Return the recovery points of a vault."""
    return [one for one in records_of(response).points.values() if one["BackupVaultName"] == name]


def point_in(response: BackupResponse, vault: str, arn: str) -> dict[str, Any]:
    """Return a recovery point of a vault; ResourceNotFoundException when there is no such one."""
    for one in in_vault(response, vault):
        if one["RecoveryPointArn"] == arn:
            return one
    raise Refusal("ResourceNotFoundException", f"Recovery point {arn} is not in backup vault {vault}")


def vault_by_arn(arn: str) -> Vault | None:
    """Return a vault, wherever it is; none when there is none."""
    parts = arn.split(":")
    if len(parts) != 7 or parts[2] != "backup":
        return None
    return backup_backends[parts[4]][parts[3]].vaults.get(parts[6])


def made(job: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    """Return the recovery point that a job made."""
    arn = job.get("DestinationRecoveryPointArn") or job["RecoveryPointArn"]
    vault = vault_by_arn(job.get("DestinationBackupVaultArn") or job["BackupVaultArn"])
    assert vault
    assert arn.split(":")[3:5] == [region, account]
    return {
        "RecoveryPointArn": arn,
        "BackupVaultName": vault.backup_vault_name,
        "BackupVaultArn": vault.backup_vault_arn,
        **({"SourceBackupVaultArn": job["SourceBackupVaultArn"]} if "SourceBackupVaultArn" in job else {}),
        "ResourceArn": job["ResourceArn"],
        "ResourceType": "RDS",
        "IamRoleArn": job["IamRoleArn"],
        "Status": "COMPLETED",
        "CreationDate": job["CreationDate"],
        "CompletionDate": job["CompletionDate"],
        "BackupSizeInBytes": job["BackupSizeInBytes"],
        "IsParent": False,
    }


def remove_snapshot(arn: str) -> None:
    """Remove the snapshot that a recovery point is; nothing happens when it is gone."""
    if arn:
        _, _, _, region, account, _, _ = arn.split(":", 6)
        backend = rds_backends[account][region]
        try:
            backend.delete_db_snapshot(snapshot_of(backend, arn).db_snapshot_identifier)
        except DBSnapshotNotFoundFault:
            return


def restored(backend: RDSBackend, arn: str, metadata: Mapping[str, str]) -> DBInstance:
    """Return the record of an instance that is made from a recovery point with what the metadata say."""
    snapshot = snapshot_of(backend, arn)
    held = held_of(snapshot)
    if held is None:
        raise InvalidParameterValue(f"{arn} has no data")
    if unknown := [name for name in metadata if name.lower() not in _NAMED]:
        raise InvalidParameterValue(f"Invalid restore metadata: unrecognized keys {', '.join(unknown)}.")
    named = {_NAMED[name.lower()]: value for name, value in metadata.items()}
    if not named.get("DBInstanceIdentifier"):
        raise InvalidParameterValue("DBInstanceIdentifier must be specified in the metadata.")
    asked: dict[str, Any] = {name: _read(name, value) for name, value in named.items() if name != "Engine"}
    made_from = MadeFrom(held.folder)
    given = XFormedDict(asked)
    return restored_instance(backend, snapshot.database, held.password, named["DBInstanceIdentifier"], given, made_from)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _read(name: str, value: str) -> Any:
    if name == "VpcSecurityGroupIds":
        return json.loads(value)
    if name in ("Port", "AllocatedStorage", "Iops", "BackupRetentionPeriod"):
        return int(value)
    return TRUTH.get(value, value)


def add() -> None:
    """Put them beside moto's."""
    for operation in (
        list_recovery_points_by_backup_vault,
        describe_recovery_point,
        get_recovery_point_restore_metadata,
        delete_recovery_point,
    ):
        setattr(BackupResponse, operation.__name__, operation)
