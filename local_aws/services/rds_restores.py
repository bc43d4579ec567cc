"""RDS's restores: another instance, with the data of a snapshot, or as an instance was at a moment.

What is not said is AWS's default, not what the source has: "The target database is created with most of the original
configuration, but in a system-selected Availability Zone, with the default security group, the default subnet group,
and the default DB parameter group. By default, the new DB instance is created as a single-AZ deployment".
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
"""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    DBInstanceNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from local_aws.journal import is_replaying
from local_aws.services import rds_snapshots
from local_aws.services.rds_automated import automated_arn
from local_aws.services.rds_checks import check_common
from local_aws.services.rds_records import DATABASES, POSTGRES, MadeFrom, database_of, make_real
from local_aws.services.rds_secrets import password_of
from local_aws.services.rds_snapshots import AVAILABLE, RETAINED, bases, held_of, snapshot_of, window

# What an instance has from its source when nobody says otherwise.
COPIED = (
    "engine",
    "engine_version",
    "db_instance_class",
    "allocated_storage",
    "storage_type",
    "iops",
    "port",
    "db_name",
    "master_username",
    "license_model",
    "storage_encrypted",
    "kms_key_id",
    "auto_minor_version_upgrade",
    "backup_retention_period",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "character_set_name",
)
_from_snapshot = RDSResponse.restore_db_instance_from_db_snapshot
_to_point_in_time = RDSResponse.restore_db_instance_to_point_in_time


def restore_db_instance_from_db_snapshot(self: RDSResponse) -> ActionResult:
    """Begin an instance with the data of a snapshot that is available.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html
    """
    asked = self.params
    snapshot = snapshot_of(self.backend, asked["DBSnapshotIdentifier"])
    held = held_of(snapshot)
    if held is None:
        return _from_snapshot(self)
    if snapshot.status != AVAILABLE:
        raise rds_snapshots.not_available(snapshot)
    source, made_from = snapshot.database, MadeFrom(held.folder)
    instance = restored(self.backend, source, held.password, asked["DBInstanceIdentifier"], asked, made_from)
    return ActionResult({"DBInstance": instance})


def restore_db_instance_to_point_in_time(self: RDSResponse) -> ActionResult:
    """Begin an instance with the data that another one had at a moment: of its last backup before, and its WAL.

    "Can't be specified if the UseLatestRestorableTime parameter is enabled. Must be before the latest restorable time
    for the DB instance" (RestoreTime).
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
    """
    asked = self.params
    key, source, password = _source(self.backend, asked)
    if not key:
        return _to_point_in_time(self)
    at = _moment(key, source, asked)
    base = [one for one in bases(key) if at is None or (one.ended and one.ended <= at)][-1]
    made_from = MadeFrom(base.folder, key, at.isoformat() if at else "")
    instance = restored(self.backend, source, password, asked["TargetDBInstanceIdentifier"], asked, made_from)
    return ActionResult({"DBInstance": instance})


def restored(
    backend: RDSBackend,
    source: DBInstance,
    password: str,
    name: str,
    asked: Mapping[str, Any],
    made_from: MadeFrom,
) -> DBInstance:
    """Return the record of an instance that the agent makes from a backup; refused when it cannot be made so."""
    if name.lower() in backend.databases:
        raise DBInstanceAlreadyExists
    check_common(asked)
    _check_groups(backend, asked)
    if asked.get("AllocatedStorage") and int(asked["AllocatedStorage"]) < source.allocated_storage:
        raise InvalidParameterValue("Allocated storage size can't be less than the source instance size.")
    given: dict[str, Any] = {one: copy.copy(getattr(source, one)) for one in COPIED}
    given |= {one: value for one, value in _said(asked).items() if value is not None}
    managed = bool(given.get("manage_master_user_password"))
    given |= {"db_instance_identifier": name.lower(), "master_user_password": None if managed else password}
    instance = backend.create_db_instance(given)
    make_real(instance, made_from)
    return instance


def _said(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a request is about the new instance, by moto's names."""
    others = ("source_db", "target_db", "restore_time", "use_latest", "db_snapshot", "db_instance_identifier")
    return {one: asked[one] for one in asked if not one.startswith(others)}


def _check_groups(backend: RDSBackend, asked: Mapping[str, Any]) -> None:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group in asked.get("VpcSecurityGroupIds") or ():
        if ec2.get_security_group_from_id(group) is None:
            raise InvalidParameterValue(f"Invalid security group , groupId= {group}, groupName=.")
    if subnets := asked.get("DBSubnetGroupName"):
        backend.describe_db_subnet_groups(subnets)


def _source(backend: RDSBackend, asked: Mapping[str, Any]) -> tuple[str, DBInstance, str]:
    """Return the instance that is gone back with: its key, its record, its password; no key for a record alone."""
    named = {
        name: asked.get(name)
        for name in ("SourceDBInstanceIdentifier", "SourceDbiResourceId", "SourceDBInstanceAutomatedBackupsArn")
    }
    said = {name: value for name, value in named.items() if value}
    if len(said) != 1:
        raise InvalidParameterCombination(f"One of {', '.join(named)} must be specified.")
    [(how, value)] = said.items()
    if how == "SourceDBInstanceIdentifier":
        instance = backend.databases.get(value)
        if instance is None or instance.engine != POSTGRES:
            if instance is None:
                raise DBInstanceNotFoundError(value)
            return "", instance, ""
        database = database_of(instance)
        return (database.key, instance, password_of(database)) if database else ("", instance, "")
    for key, one in DATABASES.items():
        if value in (key, automated_arn(one.instance)):
            return key, one.instance, password_of(one)
    for key, kept in RETAINED.items():
        if value in (key, automated_arn(kept.instance)):
            return key, kept.instance, kept.password
    raise RDSClientError("DBInstanceAutomatedBackupNotFound", f"There are no automated backups of {value}.")


def _moment(key: str, source: DBInstance, asked: Mapping[str, Any]) -> datetime | None:
    """Return the moment that is meant, when the instance can go back to it; none for the last one."""
    at, latest = asked.get("RestoreTime"), bool(asked.get("UseLatestRestorableTime"))
    if bool(at) == latest:
        raise InvalidParameterCombination("Specify either RestoreTime or UseLatestRestorableTime, and not both.")
    name = source.db_instance_identifier
    if not source.backup_retention_period:
        raise RDSClientError(
            "PointInTimeRestoreNotEnabled",
            f"Point in time restore is not enabled for instance {name}: its backup retention period is 0.",
        )
    between = window(key)
    if between is None:
        raise RDSClientError("InvalidRestoreFault", f"There is no backup of {name} yet that it can be restored from.")
    if at is None:
        return None
    moment = _parsed(at)
    if not between[0] <= moment <= between[1] and not is_replaying():  # then it was, and only that is remembered
        when = "earlier than" if moment < between[0] else "later than"
        limit = between[0] if moment < between[0] else between[1]
        raise RDSClientError(
            "InvalidRestoreFault",
            f"The specified instance cannot be restored to a time {when} {limit:%Y-%m-%dT%H:%M:%SZ}: "
            f"{moment.isoformat()} was asked for.",
        )
    return max(moment, between[0])


def _parsed(given: Any) -> datetime:
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def add() -> None:
    """Put ours in place of moto's."""
    RDSResponse.restore_db_instance_from_db_snapshot = restore_db_instance_from_db_snapshot  # type: ignore
    RDSResponse.restore_db_instance_to_point_in_time = restore_db_instance_to_point_in_time  # type: ignore
