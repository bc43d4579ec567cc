"""RDS: instances of PostgreSQL that go through their states, and are what they say when they are available.

What is asked for is recorded here, and made by the agent. Other engines and clusters are moto's: records without data.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    DBParameterGroupNotFoundError,
    InvalidParameterCombination,
    RDSClientError,
)
from moto.rds.models import DBInstance
from moto.rds.responses import RDSResponse

from local_aws.services import rds_automated, rds_records, rds_restores, rds_secrets, rds_snapshots, rds_versions
from local_aws.services.rds_checks import check_change, check_end, check_new
from local_aws.services.rds_records import DEFERRED, POSTGRES, Database, database_of, make_real
from local_aws.services.rds_versions import full_version

_create, _modify, _delete = (
    RDSResponse.create_db_instance,
    RDSResponse.modify_db_instance,
    RDSResponse.delete_db_instance,
)
_reboot, _stop, _start = (
    RDSResponse.reboot_db_instance,
    RDSResponse.stop_db_instance,
    RDSResponse.start_db_instance,
)
PROTECTED = "Cannot delete protected DB Instance, please disable deletion protection and try again."


def create_db_instance(self: RDSResponse) -> ActionResult:
    """Begin an instance; it is `creating` until it lets its master user in.

    "This parameter is stored as a lowercase string" (DBInstanceIdentifier).
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    asked = self.params
    if asked.get("Engine") != POSTGRES or asked.get("DBClusterIdentifier"):
        return _create(self)
    check_new(asked)
    asked["EngineVersion"] = full_version(asked.get("EngineVersion"))
    asked["DBInstanceIdentifier"] = asked["DBInstanceIdentifier"].lower()
    if asked["DBInstanceIdentifier"] in self.backend.databases:
        raise DBInstanceAlreadyExists
    instance = self.backend.create_db_instance(asked)
    make_real(instance)
    return _told(instance)


def modify_db_instance(self: RDSResponse) -> ActionResult:
    """Change an instance: its password at once, its class and the like at once or with the next reboot.

    "If this parameter is disabled, changes to the DB instance are applied during the next maintenance window. Some
    parameter changes can cause an outage and are applied on the next call to RebootDBInstance" (ApplyImmediately).
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    """
    database = _asked_for(self)
    if database is None:
        return _modify(self)
    asked = self.params
    check_change(database.instance, asked)
    if asked.get("ManageMasterUserPassword") and database.instance.manage_master_user_password:
        del asked["ManageMasterUserPassword"]
    if asked.get("EngineVersion"):
        asked["EngineVersion"] = full_version(asked["EngineVersion"])
    if new := asked.get("NewDBInstanceIdentifier"):
        asked["NewDBInstanceIdentifier"] = new.lower()
        if new.lower() in self.backend.databases:
            raise DBInstanceAlreadyExists
    later = {} if asked.get("ApplyImmediately") else {name: asked[name] for name in DEFERRED if asked.get(name)}
    for name in later:
        del asked[name]
    port = database.instance.port
    if asked.get("DBPortNumber"):
        asked["Port"] = asked["DBPortNumber"]
    _modify(self)
    rds_snapshots.change_backups(database)
    database.pending |= {name: value for name, value in later.items() if value != getattr(database.instance, name)}
    if asked.get("MasterUserPassword") or asked.get("ManageMasterUserPassword"):
        database.has_new_password = True
        database.want("resetting-master-credentials")
    elif database.instance.port != port or any(asked.get(name) for name in DEFERRED):
        database.want("modifying")
    return _told(database.instance)


def reboot_db_instance(self: RDSResponse) -> ActionResult:
    """Restart the server: "Rebooting a DB instance results in a momentary outage, during which the DB instance status
    is set to rebooting." What waited for it is applied.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RebootDBInstance.html
    """
    database = _asked_for(self)
    if database is None:
        return _reboot(self)
    _check_status(database, "available")
    for name, value in database.pending.items():
        setattr(database.instance, name, value)
    database.pending.clear()
    database.want("rebooting")
    return _told(database.instance)


def stop_db_instance(self: RDSResponse) -> ActionResult:
    """Stop the server, whose data stays; a snapshot is made first when it is named.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StopDBInstance.html
    """
    database = _asked_for(self)
    if database is None:
        return _stop(self)
    _check_status(database, "available")
    if name := self.params.get("DBSnapshotIdentifier"):
        self.backend.validate_db_snapshot_identifier(name, parameter_name="DBSnapshotIdentifier")
        self.backend.create_db_snapshot(database.instance.db_instance_identifier, name)
    database.want("stopping")
    return _told(database.instance)


def start_db_instance(self: RDSResponse) -> ActionResult:
    """Start a server that was stopped.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html
    """
    database = _asked_for(self)
    if database is None:
        return _start(self)
    _check_status(database, "stopped")
    database.want("starting")
    return _told(database.instance)


def delete_db_instance(self: RDSResponse) -> ActionResult:
    """Remove an instance with its data; it is `deleting` until both are gone.

    "When you delete a DB instance, all automated backups for that instance are deleted and can't be recovered.
    However, manual DB snapshots of the DB instance aren't deleted."
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html
    """
    asked = self.params
    instance = self.backend.describe_db_instances(asked["DBInstanceIdentifier"])[0]
    if instance.db_cluster_identifier is None:
        check_end(asked)
    database = database_of(instance)
    if database is None:
        return _delete(self)
    if instance.status == "deleting":
        raise RDSClientError(
            "InvalidDBInstanceState", f"Instance {instance.db_instance_identifier} is already being deleted."
        )
    if instance.deletion_protection:
        raise InvalidParameterCombination(PROTECTED)
    if final := asked.get("FinalDBSnapshotIdentifier"):
        self.backend.validate_db_snapshot_identifier(final, parameter_name="FinalDBSnapshotIdentifier")
        self.backend.create_db_snapshot(instance.db_instance_identifier, final, snapshot_type="manual")
    database.keeps_backups = asked.get("DeleteAutomatedBackups") is False
    database.want("deleting")
    return _told(instance)


def describe_db_parameters(self: RDSResponse) -> ActionResult:
    """Return the parameters that were set in a group, each with where it comes from: "The source of the parameter
    value" (Source); those of the engine are not listed.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html
    """
    name, source = self.params.get("DBParameterGroupName"), self.params.get("Source") or "user"
    groups = self.backend.describe_db_parameter_groups({"db_parameter_group_name": name})
    if not groups:
        raise DBParameterGroupNotFoundError(name)
    told = [{"IsModifiable": True, **one, "Source": "user"} for one in groups[0].parameters.values()]
    return ActionResult({"Parameters": told if source == "user" else []})


def reset_db_parameter_group(self: RDSResponse) -> ActionResult:
    """Let parameters of a group be those of the engine again: "To reset the entire DB parameter group, specify the
    DBParameterGroup name and ResetAllParameters parameters."

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html
    """
    asked, name = self.params, self.params["DBParameterGroupName"]
    group = self.backend.db_parameter_groups.get(name)
    if group is None:
        raise DBParameterGroupNotFoundError(name)
    named = [one["ParameterName"] for one in asked.get("Parameters", [])]
    for one in list(group.parameters) if asked.get("ResetAllParameters") else named:
        group.parameters.pop(one, None)
    return ActionResult({"DBParameterGroupName": name})


def _asked_for(response: RDSResponse) -> Database | None:
    """Return the database that is asked about; none when it is a record alone."""
    instance = response.backend.describe_db_instances(response.params["DBInstanceIdentifier"])[0]
    response.params["DBInstanceIdentifier"] = instance.db_instance_identifier
    return database_of(instance)


def _check_status(database: Database, wanted: str) -> None:
    instance = database.instance
    if instance.status != wanted:
        name = instance.db_instance_identifier
        raise RDSClientError("InvalidDBInstanceState", f"Instance {name} is not in {wanted} state.")


def _told(instance: DBInstance) -> ActionResult:
    told: dict[str, Any] = {"DBInstance": instance}
    return ActionResult(told)


def add() -> None:
    """Put ours in place of moto's."""
    rds_records.add()
    rds_secrets.add()
    rds_versions.add()
    rds_snapshots.add()
    rds_automated.add()
    rds_restores.add()
    for operation in (
        create_db_instance,
        modify_db_instance,
        reboot_db_instance,
        stop_db_instance,
        start_db_instance,
        delete_db_instance,
        describe_db_parameters,
        reset_db_parameter_group,
    ):
        setattr(RDSResponse, operation.__name__, operation)
