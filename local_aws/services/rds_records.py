"""RDS's records: which instances are PostgreSQL for real, what is wanted of them, and what became of it.

What a request wants is a status on its way (creating, rebooting, …) and a number that grows. The agent brings it about
and reports the number that it saw, so that what was asked for meanwhile is not taken for done.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.moto_api._internal import mock_random
from moto.rds.models import DBCluster, DBInstance, RDSBackend, rds_backends

from local_aws import reports

POSTGRES = "postgres"
REPORT = "rds"
DEFERRED = ("db_instance_class", "allocated_storage", "engine_version", "multi_az", "storage_type", "iops")
_PENDING_NAMES = {
    "db_instance_class": "DBInstanceClass",
    "allocated_storage": "AllocatedStorage",
    "engine_version": "EngineVersion",
    "multi_az": "MultiAZ",
    "storage_type": "StorageType",
    "iops": "Iops",
}
_create, _replicate = RDSBackend.create_db_instance, RDSBackend.create_db_instance_read_replica
_moto_address, _moto_endpoint = DBInstance.address, DBInstance.endpoint
_scaling = DBCluster.scaling_configuration_info


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class MadeFrom:
    """What the data of an instance are made from: a folder of backups, and whose WAL until when, unless it is alone.

    Without `at`, to the end of what is archived.
    """

    folder: str
    key: str = ""
    at: str = ""


@dataclass
class Database:
    """An instance that is PostgreSQL for real."""

    instance: DBInstance
    address: str = ""  # until it is known
    wanted: int = 1
    asked_at: datetime = field(default_factory=_now)
    pending: dict[str, Any] = field(default_factory=dict)
    has_new_password: bool = False
    keeps_backups: bool = False
    made_from: MadeFrom | None = None  # until that is done
    uploaded: datetime | None = None  # what was committed until then is archived

    @property
    def key(self) -> str:
        """What it is called for ever, whatever its identifier is."""
        return str(self.instance.dbi_resource_id)

    def want(self, status: str) -> None:
        """Let the agent bring about what is recorded."""
        self.instance.status = status
        self.wanted += 1
        self.asked_at = _now()


DATABASES: dict[str, Database] = {}
# What the backups do when an instance begins and when it is gone; the second says whether its automated ones stay.
BEGUN: list[Callable[[Database], None]] = []
ENDED: list[Callable[[Database, dict[str, Any]], None]] = []


def database_of(instance: DBInstance) -> Database | None:
    """Return what there is of an instance beside its record; none for one that is a record alone."""
    return DATABASES.get(str(instance.dbi_resource_id))


def make_real(instance: DBInstance, made_from: MadeFrom | None = None) -> None:
    """Let the agent make a database for an instance, of a backup when one is named."""
    instance.status = "creating"
    instance.license_model = "postgresql-license"
    database = DATABASES[str(instance.dbi_resource_id)] = Database(instance, made_from=made_from)
    BEGUN[0](database)


def tell(database: Database, wanted: int, status: str, **more: str) -> None:
    """Report what became of a database, with the number of the wish that was brought about."""
    instance = database.instance
    about = {"account": instance.account_id, "region": instance.region, "key": database.key}
    reports.tell(REPORT, {**about, "wanted": wanted, "status": status, **more})


def take_report(told: dict[str, Any]) -> None:
    """Record what became of a database; what was reported of an older wish is kept apart from its status."""
    database = DATABASES.get(told["key"])
    if database is None:
        return
    database.address = told.get("address") or database.address
    if told["wanted"] != database.wanted:
        return
    instance = database.instance
    if told["status"] == "deleted":
        backend = rds_backends[told["account"]][told["region"]]
        ENDED[0](database, told)
        backend.delete_db_instance(instance.db_instance_identifier, None, True, not database.keeps_backups)
        del DATABASES[database.key]
        return
    instance.status = told["status"]
    database.has_new_password = False
    if instance.status == "available":
        database.made_from = None


def create_db_instance(self: RDSBackend, db_kwargs: dict[str, Any]) -> DBInstance:
    """Make a record with an identifier of its own: "The Amazon Web Services Region-unique, immutable identifier for
    the DB instance" (DbiResourceId). moto gives all of them the same, so that Terraform finds none of two.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    """
    return _named(_create(self, db_kwargs))


def create_db_instance_read_replica(self: RDSBackend, db_kwargs: dict[str, Any]) -> DBInstance:
    """Make a record of a replica, with an identifier of its own; it has no data."""
    replica = _named(_replicate(self, db_kwargs))
    replica.status = "available"
    return replica


def _named(instance: DBInstance) -> DBInstance:
    letters = string.ascii_uppercase + "234567"
    instance.dbi_resource_id = "db-" + "".join(mock_random.choice(letters) for _ in range(26))
    return instance


def _address(self: DBInstance) -> str:
    database = database_of(self)
    return database.address if database else str(_moto_address.fget(self))  # type: ignore[attr-defined]


def _endpoint(self: DBInstance) -> dict[str, Any] | None:
    """Return it once it is known: "The endpoint might not be shown for instances with the status of creating."

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    """
    database = database_of(self)
    if database and not database.address:
        return None
    return dict(_moto_endpoint.fget(self))  # type: ignore[attr-defined]


def _pending_modified_values(self: DBInstance) -> dict[str, Any]:
    """Return what will be changed: "Information about pending changes to the DB instance."""
    database = database_of(self)
    if database is None:
        return {}
    told = {_PENDING_NAMES[name]: value for name, value in database.pending.items()}
    return told | ({"MasterUserPassword": "****"} if database.has_new_password else {})


def _scaling_configuration(self: DBCluster) -> dict[str, Any] | None:
    """Return it of a cluster that has one: "For DB clusters in serverless DB engine mode, the scaling properties of
    the DB cluster." Serverless v2 has other ones.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html
    """
    return dict(_scaling.fget(self)) if self.scaling_configuration else None  # type: ignore[attr-defined]


def add() -> None:
    """Put ours in place of moto's."""
    reports.TAKEN[REPORT] = take_report
    RDSBackend.create_db_instance = create_db_instance  # type: ignore[method-assign]
    RDSBackend.create_db_instance_read_replica = create_db_instance_read_replica  # type: ignore[method-assign]
    DBInstance.address = property(_address)  # type: ignore[assignment, method-assign]
    DBInstance.endpoint = property(_endpoint)  # type: ignore[assignment, method-assign]
    DBInstance.pending_modified_values = property(_pending_modified_values)  # type: ignore[attr-defined]
    DBCluster.scaling_configuration_info = property(_scaling_configuration)  # type: ignore[assignment, method-assign]
