"""Instances of RDS that live for a moment: a backup is restored into one beside the environment's, and read there.

What AWS would choose by itself (default groups, default network) is said in full, as the source has it. Their names
come from the run, so that whoever goes on after a kill finds them; their tags say until when somebody may need them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.aws.rds import RdsDatabase, delete_instance
from delivery.aws.rds_snapshots import identifier, tag_list, tags_of
from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_EXPIRES, LABEL_ROLE, LABEL_RUN
from delivery.errors import Misconfigured, Rejected
from delivery.ports.drills import Reach
from delivery.waiting import until

ROLE = "temporary-database"
DAMAGED, BEGUN = "headway.damaged", "headway.begun"
LIVES = timedelta(hours=12)
# How long it takes depends on the volume.
RESTORE_SECONDS, SECRET_SECONDS, GONE_SECONDS, POLL_SECONDS = 7200.0, 600.0, 3600.0, 2.0
EXISTS = ("DBInstanceAlreadyExists", "DBInstanceAlreadyExistsFault")
LATE = ("InvalidRestoreFault", "PointInTimeRestoreNotEnabled", "PointInTimeRestoreNotEnabledFault")


@dataclass(frozen=True)
class Source:
    """What is restored: a snapshot, or the environment's instance as it was at a moment."""

    snapshot: str = ""
    at: datetime | None = None

    @property
    def name(self) -> str:
        """What it is called, for people and for the name of its copy."""
        return self.snapshot or (self.at.isoformat() if self.at else "")


@dataclass(frozen=True)
class Copy:
    """An instance that a backup was restored into, and since when that was wanted."""

    database: RdsDatabase
    begun: datetime
    arn: str
    client: Any

    def mark_damaged(self) -> None:
        """Write down that something is taken out of it, before that is done: nobody takes it for the backup then."""
        with aws_errors("rds"):
            self.client.add_tags_to_resource(ResourceName=self.arn, Tags=tag_list({DAMAGED: "yes"}))


@dataclass(frozen=True)
class Copies:
    """Makes and removes copies of an environment's database."""

    own: RdsDatabase
    client: Any

    @contextmanager
    def opened(
        self, source: Source, purpose: str, run: str, *, seconds: float = RESTORE_SECONDS, lives: timedelta = LIVES
    ) -> Iterator[Copy]:
        """Yield a copy that answers, the one that a process before this one began where there is one; then it is gone.

        Somebody may need it for as long as it `lives`, counted from its beginning. Raises Misconfigured when there is
        no such backup, Rejected when it does not come up within `seconds`.
        """
        self.sweep()
        name = identifier(f"headway-{purpose}", self.own.environment.app, run, source.name)
        own, settings = self.own, replace(self.own.settings, instance=name)
        database = RdsDatabase(own.access, own.jobs, own.environment, settings, own.run)
        try:
            if self._usable(database) is None:
                self._begin(source, name, run, lives)
            found = self._with_secret(database, seconds)
            begun = datetime.fromisoformat(tags_of(found)[BEGUN])
            yield Copy(database, begun, str(found["DBInstanceArn"]), self.client)
        finally:
            delete_instance(self.client, name)

    def reach(self) -> Reach | None:
        """Return the moments that RDS says its automated backups go back to; none where it keeps none, or none yet.

        How large they are it does not say.
        """
        named = {"DBInstanceIdentifier": self.own.settings.instance}
        with aws_errors("rds"):
            told = self.client.describe_db_instance_automated_backups(**named)["DBInstanceAutomatedBackups"]
        found = [one["RestoreWindow"] for one in told if one.get("RestoreWindow")]
        between = max(found, key=lambda one: one["LatestTime"], default=None)  # another of the name may be retained
        return Reach(between["EarliestTime"], between["LatestTime"], 0) if between else None

    def sweep(self) -> tuple[str, ...]:
        """Remove the copies of the environment that nobody needs any more, and return their names."""
        now, gone = datetime.now(UTC), []
        with aws_errors("rds"):
            pages = self.client.get_paginator("describe_db_instances").paginate()
            found = [one for page in pages for one in page["DBInstances"]]
        for one in found:
            tags = tags_of(one)
            mine = (tags.get(LABEL_ROLE), tags.get(LABEL_APP), tags.get(LABEL_ENVIRONMENT)) == (ROLE, *self._whose)
            if mine and one["DBInstanceStatus"] != "deleting" and datetime.fromisoformat(tags[LABEL_EXPIRES]) < now:
                delete_instance(self.client, one["DBInstanceIdentifier"])
                gone.append(str(one["DBInstanceIdentifier"]))
        return tuple(gone)

    @property
    def _whose(self) -> tuple[str, str]:
        return self.own.environment.app, self.own.environment.environment

    def _usable(self, database: RdsDatabase) -> dict[str, Any] | None:
        """Return what a process before this one began; none once it is gone, when it was damaged or is deleted."""
        found = database.describe()
        if found is None or (found["DBInstanceStatus"] != "deleting" and DAMAGED not in tags_of(found)):
            return found
        delete_instance(self.client, database.settings.instance)
        if not until(lambda: database.describe() is None, seconds=GONE_SECONDS, every=POLL_SECONDS):
            raise Rejected(f"RDS instance {database.settings.instance} is not gone after {GONE_SECONDS:g} s")
        return None

    def _with_secret(self, database: RdsDatabase, seconds: float) -> dict[str, Any]:
        """Return a copy once it is available and its administrator's new password is in its secret."""

        def ready() -> dict[str, Any] | None:
            found = database.available(seconds)
            return found if (found.get("MasterUserSecret") or {}).get("SecretStatus") == "active" else None

        found = until(ready, seconds=min(seconds, SECRET_SECONDS), every=POLL_SECONDS)
        if found is None:
            raise Rejected(f"RDS instance {database.settings.instance} has no secret of its administrator")
        return found

    def _begin(self, source: Source, name: str, run: str, lives: timedelta) -> None:
        """Let RDS restore; it does already, where an answer was lost."""
        asked = self._like_own(name, run, lives)
        with aws_errors("rds"):
            try:
                if source.at:
                    del asked["DBInstanceIdentifier"]
                    self.client.restore_db_instance_to_point_in_time(
                        SourceDBInstanceIdentifier=self.own.settings.instance,
                        TargetDBInstanceIdentifier=name,
                        RestoreTime=source.at,
                        **asked,
                    )
                else:
                    self.client.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier=source.snapshot, **asked)
            except ClientError as error:
                if code_of(error) in LATE:
                    raise self._out_of_reach(source, error) from error
                if code_of(error) not in EXISTS:
                    raise

    def _like_own(self, name: str, run: str, lives: timedelta) -> dict[str, Any]:
        """Return what both ways to restore take: all that the environment's own instance has."""
        own = self.own.describe()
        if own is None:
            raise Misconfigured(
                f"RDS instance {self.own.settings.instance}",
                "there is none, so nobody says in which network and with which groups a backup is to be restored",
                next_step="headway run makes the infrastructure again; its snapshots stay",
            )
        now, groups = datetime.now(UTC), own.get("DBParameterGroups") or ()
        options = [one["OptionGroupName"] for one in own.get("OptionGroupMemberships") or ()]
        secret = own.get("MasterUserSecret") or {}
        tags = {
            LABEL_APP: self.own.environment.app,
            LABEL_ENVIRONMENT: self.own.environment.environment,
            LABEL_ROLE: ROLE,
            LABEL_RUN: run,
            LABEL_EXPIRES: (now + lives).isoformat(timespec="seconds"),
            BEGUN: now.isoformat(),
        }
        asked = {
            "DBInstanceIdentifier": name,
            "DBInstanceClass": own["DBInstanceClass"],
            "VpcSecurityGroupIds": [one["VpcSecurityGroupId"] for one in own.get("VpcSecurityGroups") or ()],
            "DBSubnetGroupName": (own.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
            "DBParameterGroupName": groups[0]["DBParameterGroupName"] if groups else None,
            "OptionGroupName": next((one for one in options if not one.startswith("default:")), None),
            "Port": (own.get("Endpoint") or {}).get("Port"),
            "StorageType": own.get("StorageType"),
            "Iops": own.get("Iops") if str(own.get("StorageType")).startswith("io") else None,
            "BackupRetentionPeriod": 0,  # the first backup of its own would keep it from being available
            "MasterUserSecretKmsKeyId": secret.get("KmsKeyId"),
            "ManageMasterUserPassword": True,
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "AutoMinorVersionUpgrade": False,
            "DeletionProtection": False,
            "CopyTagsToSnapshot": False,
            "Tags": tag_list(tags),
        }
        return {key: value for key, value in asked.items() if value not in (None, [])}

    def _out_of_reach(self, source: Source, error: ClientError) -> Misconfigured:
        between = self.reach()
        allowed = (
            f"from {between.earliest:%Y-%m-%dT%H:%M:%SZ} to {between.latest:%Y-%m-%dT%H:%M:%SZ}" if between else ""
        )
        return Misconfigured(
            f"moment {source.name} of RDS instance {self.own.settings.instance}",
            str(error.response["Error"].get("Message", "cannot be gone back to")),
            allowed or "no moment: it keeps no automated backups yet",
        )
