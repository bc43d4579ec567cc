"""RDS's snapshots: which of them hold data, and until when an instance can go back.

What a request wants is a snapshot that is `creating`; the agent copies the data and reports it. The first automated one
of an instance is what its archive of WAL begins with; AWS takes another one every day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random
from moto.rds.exceptions import DBInstanceNotFoundError, DBSnapshotNotFoundFault, RDSClientError
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from local_aws import reports
from local_aws.services.rds_records import BEGUN, DATABASES, ENDED, Database, database_of
from local_aws.services.rds_secrets import password_of

REPORT = "rds-snapshot"
AVAILABLE, CREATING = "available", "creating"
_create, _delete, _copy = RDSBackend.create_db_snapshot, RDSBackend.delete_db_snapshot, RDSBackend.copy_db_snapshot


@dataclass
class Held:
    """What a snapshot has beside its record: a folder of data, of the instance `key`, with its master's password."""

    folder: str
    key: str
    password: str
    ended: datetime | None = None  # from that moment on its data are whole


@dataclass
class Retained:
    """What is kept of an instance that is gone."""

    instance: DBInstance
    password: str
    latest: datetime


HELD: dict[str, Held] = {}  # by the ARN of a snapshot
RETAINED: dict[str, Retained] = {}  # by the DbiResourceId of an instance
GONE: set[str] = set()  # folders that nobody refers to any more, as far as it was told


def held_of(snapshot: DBSnapshot) -> Held | None:
    """Return what there is of a snapshot beside its record; none for one that is a record alone."""
    return HELD.get(snapshot.db_snapshot_arn)


def unfinished(key: str) -> list[tuple[DBSnapshot, Held]]:
    """Return the snapshots of an instance that are asked for and not made yet, the oldest first."""
    found = [(one, held) for one in _all() if one.status == CREATING and (held := held_of(one)) and held.key == key]
    return sorted(found, key=lambda pair: pair[0].created)


def bases(key: str) -> list[Held]:
    """Return what an instance can go back from, the oldest first."""
    found = [held for one in _all() if one.snapshot_type == "automated" and (held := held_of(one)) and held.key == key]
    return sorted((one for one in found if one.ended), key=lambda one: str(one.ended))


def window(key: str) -> tuple[datetime, datetime] | None:
    """Return the first and the last moment that an instance can go back to; none while there is no backup of it."""
    whole = [one.ended for one in bases(key) if one.ended]
    if not whole:
        return None
    database, retained = DATABASES.get(key), RETAINED.get(key)
    last = retained.latest if retained else database.uploaded if database else None
    return whole[0], max(whole[0], last) if last else whole[-1]


def folders_in_use() -> set[str]:
    """Return the folders of backups that somebody has, or is being made from."""
    made_from = {one.made_from.folder for one in DATABASES.values() if one.made_from}
    return {held.folder for held in HELD.values()} | set(DATABASES) | set(RETAINED) | made_from


def begin_backups(database: Database) -> None:
    """Let the agent take the first automated snapshot of an instance that keeps any."""
    instance = database.instance
    backend = rds_backends[instance.account_id][instance.region]
    name = instance.db_instance_identifier
    for one in [one for one in backend.database_snapshots.values() if one.snapshot_type == "automated"]:
        if one.db_instance_identifier == name and held_of(one) is None:  # moto's, which has nothing in it
            _delete(backend, one.db_snapshot_identifier)
    if instance.backup_retention_period:
        instance.save_automated_backup()


def change_backups(database: Database) -> None:
    """Begin backups of an instance that keeps some from now on, and remove those of one that keeps none any more.

    "Setting this parameter to 0 disables automated backups" (BackupRetentionPeriod).
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    instance = database.instance
    automated = [one for one in _all() if one.snapshot_type == "automated" and _key_of(one) == database.key]
    if instance.backup_retention_period and not automated:
        begin_backups(database)
    if not instance.backup_retention_period:
        for one in automated:
            one.backend.delete_db_snapshot(one.db_snapshot_identifier)


def end_backups(database: Database, told: dict[str, Any]) -> None:
    """Keep what an instance that goes can go back to, when that was asked for; its archive goes otherwise."""
    if database.keeps_backups and told.get("uploaded"):
        latest = datetime.fromisoformat(told["uploaded"])
        RETAINED[database.key] = Retained(database.instance, password_of(database), latest)
    else:
        GONE.add(database.key)


def create_db_snapshot(self: RDSBackend, *args: Any, **kwargs: Any) -> DBSnapshot:
    """Begin a snapshot: `creating` until the agent has copied the data, which only an instance that is there has.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html
    """
    snapshot = _create(self, *args, **kwargs)
    database = database_of(self.databases[snapshot.db_instance_identifier])
    if database:
        folder = str(mock_random.uuid4())
        HELD[snapshot.db_snapshot_arn] = Held(folder, database.key, password_of(database))
        snapshot.status, snapshot.percent_progress = CREATING, 0  # type: ignore[attr-defined]
    return snapshot


def snapshot_of_request(self: RDSResponse) -> ActionResult:
    """Begin a snapshot of an instance that is available: InvalidDBInstanceState otherwise.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html
    """
    asked = self.params
    self.backend.validate_db_snapshot_identifier(asked["DBSnapshotIdentifier"], parameter_name="DBSnapshotIdentifier")
    instance = self.backend.databases.get(asked["DBInstanceIdentifier"])
    if instance is None:
        raise DBInstanceNotFoundError(asked["DBInstanceIdentifier"])
    if database_of(instance) and instance.status not in (AVAILABLE, "storage-optimization"):
        name = instance.db_instance_identifier
        raise RDSClientError("InvalidDBInstanceState", f"Instance {name} is not in available state.")
    return ActionResult({"DBSnapshot": self.backend.create_db_snapshot(**asked)})


def copy_db_snapshot(self: RDSBackend, *args: Any, **kwargs: Any) -> DBSnapshot:
    """Copy a snapshot that is available, with its data; an ARN may name one of another region.

    "If the source snapshot is in a different Amazon Web Services Region than the copy, specify a valid DB snapshot
    ARN."
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html
    """
    named = str(kwargs.get("source_db_snapshot_identifier") or args[0])
    source = snapshot_of(self, named)
    if source.status != AVAILABLE:
        raise not_available(source)
    where: RDSBackend = source.backend
    there = where.database_snapshots.get(source.db_snapshot_identifier)
    target = str(kwargs.get("target_db_snapshot_identifier") or args[1])
    added = self is not where
    if added:  # moto copies within one region
        self.database_snapshots[source.db_snapshot_identifier] = source
    try:
        copied = _copy(self, source.db_snapshot_identifier, target, *args[2:], **_without_names(kwargs))
    finally:
        if added:
            self.database_snapshots.pop(source.db_snapshot_identifier, None)
    assert there is source
    keep_copy(source, copied)
    return copied


def keep_copy(source: DBSnapshot, copied: DBSnapshot) -> None:
    """Let a copy hold what its source does, on its own."""
    copied.database = source.database
    copied.source_db_snapshot_identifier = source.db_snapshot_arn  # type: ignore[attr-defined]
    copied.percent_progress = 100  # type: ignore[attr-defined]
    if held := held_of(source):
        HELD[copied.db_snapshot_arn] = Held(held.folder, held.key, held.password, held.ended)


def delete_db_snapshot(self: RDSBackend, db_snapshot_identifier: str) -> DBSnapshot:
    """Remove a snapshot that is available: "The DB snapshot must be in the available state to be deleted."

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html
    """
    snapshot = _delete(self, db_snapshot_identifier)
    if held := HELD.pop(snapshot.db_snapshot_arn, None):
        GONE.add(held.folder)
    snapshot.status = "deleted"
    return snapshot


def deletion_of_request(self: RDSResponse) -> ActionResult:
    """Remove a manual snapshot that is available; what AWS took by itself is AWS's to remove.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html
    """
    snapshot = snapshot_of(self.backend, self.params["DBSnapshotIdentifier"])
    if snapshot.snapshot_type != "manual":
        raise RDSClientError(
            "InvalidDBSnapshotState", "You can't delete an automated or awsbackup snapshot with DeleteDBSnapshot."
        )
    if snapshot.status != AVAILABLE:
        raise not_available(snapshot)
    return ActionResult({"DBSnapshot": self.backend.delete_db_snapshot(snapshot.db_snapshot_identifier)})


def snapshot_of(backend: RDSBackend, named: str) -> DBSnapshot:
    """Return a snapshot by its name or its ARN, which may be of another region of the account."""
    where = backend
    if named.startswith("arn:"):
        region, named = named.split(":")[3], named.partition(":snapshot:")[2]
        where = rds_backends[backend.account_id][region]
    found = where.database_snapshots.get(named)
    if found is None:
        raise DBSnapshotNotFoundFault(named)
    return found


def not_available(snapshot: DBSnapshot) -> RDSClientError:
    """Return the refusal of what needs a snapshot that is available."""
    name, status = snapshot.db_snapshot_identifier, snapshot.status
    return RDSClientError("InvalidDBSnapshotState", f"The snapshot {name} is not in available state: {status}.")


def take_report(told: dict[str, Any]) -> None:
    """Record what became of a snapshot."""
    snapshot = rds_backends[told["account"]][told["region"]].database_snapshots.get(told["name"])
    held = HELD.get(told["arn"])
    if snapshot and held:
        held.ended = datetime.fromisoformat(told["ended"]) if told["ended"] else None
        snapshot.status = told["status"]
        snapshot.percent_progress = 100  # type: ignore[attr-defined]


def tell(snapshot: DBSnapshot, status: str, ended: str = "") -> None:
    """Report what became of a snapshot; `ended` is the moment from which on its data are whole."""
    about = {"account": snapshot.account_id, "region": snapshot.region, "name": snapshot.db_snapshot_identifier}
    reports.tell(REPORT, {**about, "arn": snapshot.db_snapshot_arn, "status": status, "ended": ended})


def _key_of(snapshot: DBSnapshot) -> str:
    held = held_of(snapshot)
    return held.key if held else ""


def _all() -> Iterator[DBSnapshot]:
    for of_account in rds_backends.values():
        for backend in list(of_account.values()):
            yield from list(backend.database_snapshots.values())


def _without_names(given: dict[str, Any]) -> dict[str, Any]:
    names = ("source_db_snapshot_identifier", "target_db_snapshot_identifier")
    return {name: value for name, value in given.items() if name not in names}


def add() -> None:
    """Put ours in place of moto's."""
    BEGUN[:], ENDED[:] = [begin_backups], [end_backups]
    reports.TAKEN[REPORT] = take_report
    RDSBackend.create_db_snapshot = create_db_snapshot  # type: ignore[method-assign]
    RDSBackend.copy_db_snapshot = copy_db_snapshot  # type: ignore[method-assign]
    RDSBackend.delete_db_snapshot = delete_db_snapshot  # type: ignore[method-assign]
    RDSResponse.create_db_snapshot = snapshot_of_request  # type: ignore[method-assign]
    RDSResponse.delete_db_snapshot = deletion_of_request  # type: ignore[method-assign]
