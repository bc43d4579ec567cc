"""What RDS refuses of a request about an instance of PostgreSQL, in its words."""

import re
from collections.abc import Mapping
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, RDSClientError
from moto.rds.models import DBInstance

from local_aws.services.rds_versions import full_version, major_of

PORTS = range(1150, 65536)
RETENTION_DAYS = range(36)
PASSWORD_LENGTHS = range(8, 129)
RESERVED = ("admin", "rdsadmin", "rds_superuser")
CHANGEABLE = ("available", "modifying", "resetting-master-credentials", "backing-up", "storage-optimization")


def check_new(asked: Mapping[str, Any]) -> None:
    """Return when an instance can be made so.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    user = asked.get("MasterUsername")
    if not user:
        raise InvalidParameterValue("The parameter MasterUsername must be provided and must not be blank.")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", user):
        raise InvalidParameterValue(
            f"The parameter MasterUsername is not a valid identifier: {user}. It must begin with a letter and contain "
            "only letters, digits and underscores."
        )
    if user.lower() in RESERVED or user.lower().startswith("pg_"):
        raise InvalidParameterValue(f"MasterUsername {user} cannot be used as it is a reserved word used by the engine")
    if not asked.get("ManageMasterUserPassword") and not asked.get("MasterUserPassword"):
        raise InvalidParameterValue("The parameter MasterUserPassword must be provided and must not be blank.")
    name = asked.get("DBName")
    if name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name):
        raise InvalidParameterValue(
            f"DBName {name} must begin with a letter and contain only alphanumeric characters and underscores."
        )
    check_common(asked)


def check_common(asked: Mapping[str, Any]) -> None:
    """Return when what is asked for can be had, of an instance that is made or one that is changed."""
    password, port, days = asked.get("MasterUserPassword"), asked.get("Port"), asked.get("BackupRetentionPeriod")
    if password and asked.get("ManageMasterUserPassword"):
        raise InvalidParameterCombination(
            "You can't specify MasterUserPassword when you enable ManageMasterUserPassword."
        )
    if password is not None and len(password) not in PASSWORD_LENGTHS:
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than "
            f"{PASSWORD_LENGTHS[0]} or longer than {PASSWORD_LENGTHS[-1]} characters."
        )
    if (password is not None and not re.fullmatch(r"[ -~]+", password)) or set(password or "") & set('/"@ '):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides "
            "'/', '@', '\"', ' ' may be used."
        )
    if port is not None and int(port) not in PORTS:
        raise InvalidParameterValue(f"Invalid port {port}: must be from {PORTS[0]} to {PORTS[-1]}")
    if days is not None and int(days) not in RETENTION_DAYS:
        raise InvalidParameterValue(
            f"Invalid backup retention period: {days}. Must be from {RETENTION_DAYS[0]} to {RETENTION_DAYS[-1]}."
        )


def check_change(instance: DBInstance, asked: Mapping[str, Any]) -> None:
    """Return when an instance can be changed so, now.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    """
    if instance.status not in CHANGEABLE:
        raise RDSClientError("InvalidDBInstanceState", "Database instance is not in available state.")
    check_common(asked)
    managed = bool(instance.manage_master_user_password)
    if asked.get("MasterUserPassword") and managed and asked.get("ManageMasterUserPassword") is not False:
        raise InvalidParameterCombination(
            "You can't specify MasterUserPassword for an instance whose password RDS manages in Secrets Manager."
        )
    if managed and asked.get("ManageMasterUserPassword") is False and not asked.get("MasterUserPassword"):
        raise InvalidParameterCombination(
            "You must specify MasterUserPassword when you turn off ManageMasterUserPassword."
        )
    if asked.get("RotateMasterUserPassword") and not managed:
        raise InvalidParameterCombination(
            "You can't specify RotateMasterUserPassword for an instance whose password RDS doesn't manage."
        )
    _check_upgrade(instance, asked)


def _check_upgrade(instance: DBInstance, asked: Mapping[str, Any]) -> None:
    if not asked.get("EngineVersion"):
        return
    wanted, now = full_version(asked["EngineVersion"]), instance.engine_version
    if major_of(wanted) == major_of(now):
        return
    if not asked.get("AllowMajorVersionUpgrade"):
        raise InvalidParameterCombination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        )
    raise InvalidParameterCombination(
        f"Cannot upgrade {instance.engine} from {now} to {wanted}: the local AWS upgrades no data"
    )


def check_end(asked: Mapping[str, Any]) -> None:
    """Return when it is said what becomes of the data: "If you don't enable this parameter, you must specify the
    FinalDBSnapshotIdentifier parameter."

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html
    """
    skips, final = bool(asked.get("SkipFinalSnapshot")), asked.get("FinalDBSnapshotIdentifier")
    if not skips and not final:
        raise InvalidParameterCombination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    if skips and final:
        raise InvalidParameterCombination(
            "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified."
        )
