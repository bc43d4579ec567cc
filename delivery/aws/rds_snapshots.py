"""Snapshots of an RDS instance, and what their tags say of those that Headway took."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, get_args

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_ROLE, LABEL_RUN
from delivery.errors import Rejected
from delivery.ports.backups import KeptBackup, Reason
from delivery.ports.settings import EnvironmentSettings
from delivery.waiting import until

ROLE = "backup"
REASON, TABLES, ROWS, RPO = "headway.reason", "headway.tables", "headway.rows", "headway.rpo-seconds"
MISSING = ("DBSnapshotNotFound", "DBSnapshotNotFoundFault")
EXISTS = ("DBSnapshotAlreadyExists", "DBSnapshotAlreadyExistsFault")
AVAILABLE, FAILED = "available", "failed"
# A first snapshot copies all of the disk: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CreateSnapshot.html
SNAPSHOT_SECONDS, POLL_SECONDS = 7200.0, 2.0
REASONS: Mapping[str, Reason] = {one: one for one in get_args(Reason)}


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one instance, as RDS tells them."""

    client: Any
    instance: str
    settings: EnvironmentSettings

    def identifier(self, run: str, reason: Reason) -> str:
        """Return what the snapshot is called that a run takes for a reason: always the same."""
        return identifier(f"headway-{self.settings.app}-{self.settings.environment}", run, reason)

    def begin(self, name: str, run: str, reason: Reason) -> None:
        """Let RDS make a snapshot; it makes one of that name already, where an answer was lost."""
        tags = {
            LABEL_APP: self.settings.app,
            LABEL_ENVIRONMENT: self.settings.environment,
            LABEL_ROLE: ROLE,
            LABEL_RUN: run,
            REASON: reason,
        }
        with aws_errors("rds"):
            try:
                self.client.create_db_snapshot(
                    DBSnapshotIdentifier=name, DBInstanceIdentifier=self.instance, Tags=tag_list(tags)
                )
            except ClientError as error:
                if code_of(error) not in EXISTS:
                    raise

    def awaited(self, name: str) -> dict[str, Any]:
        """Return a snapshot once it is available; Rejected when it will not be."""

        def ended() -> dict[str, Any] | None:
            found = self.find(name)
            return found if found is None or found["Status"] in (AVAILABLE, FAILED) else {}

        found = until(ended, seconds=SNAPSHOT_SECONDS, every=POLL_SECONDS, unless=lambda: self.find(name) is None)
        if not found or found["Status"] != AVAILABLE:
            status = found["Status"] if found else "gone, or not available yet"
            raise Rejected(f"RDS snapshot {name} of instance {self.instance} is {status}")
        return found

    def find(self, name: str) -> dict[str, Any] | None:
        """Return a snapshot by its identifier; none when there is none."""
        with aws_errors("rds"):
            try:
                return dict(self.client.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0])
            except ClientError as error:
                if code_of(error) in MISSING:
                    return None
                raise

    def finish(self, found: Mapping[str, Any], *, tables: int, rows: int, rpo_seconds: float) -> None:
        """Write down what is in a snapshot, with which it is a backup."""
        tags = {TABLES: str(tables), ROWS: str(rows), RPO: f"{rpo_seconds:.3f}"}
        with aws_errors("rds"):
            self.client.add_tags_to_resource(ResourceName=found["DBSnapshotArn"], Tags=tag_list(tags))

    def delete(self, name: str) -> None:
        """Remove a snapshot for good; nothing happens when it is gone."""
        with aws_errors("rds"):
            try:
                self.client.delete_db_snapshot(DBSnapshotIdentifier=name)
            except ClientError as error:
                if code_of(error) not in MISSING:
                    raise

    def remove(self, name: str) -> None:
        """Remove a snapshot that is no backup, once RDS is through with it, and return when it is gone."""
        through = (AVAILABLE, FAILED)
        until(
            lambda: (found := self.find(name)) is None or found["Status"] in through,
            seconds=SNAPSHOT_SECONDS,
            every=POLL_SECONDS,
        )
        self.delete(name)
        if not until(lambda: self.find(name) is None, seconds=SNAPSHOT_SECONDS, every=POLL_SECONDS):
            raise Rejected(f"RDS snapshot {name} is not gone after {SNAPSHOT_SECONDS:g} s")

    def kept(self, database: str) -> tuple[KeptBackup, ...]:
        """Return the snapshots that can be restored, the newest first: ours, once they are whole, and all others."""
        found = [backup for one in self._all() if (backup := self.kept_backup(one, database))]
        return tuple(sorted(found, key=lambda one: (one.at, one.name), reverse=True))

    def kept_backup(self, found: Mapping[str, Any], database: str) -> KeptBackup | None:
        """Return a snapshot as the port's value; none while it is not whole, or it is another environment's backup."""
        tags, name = tags_of(found), str(found["DBSnapshotIdentifier"])
        ours = tags.get(LABEL_ROLE) == ROLE
        whose = (tags.get(LABEL_APP), tags.get(LABEL_ENVIRONMENT))
        if found["Status"] != AVAILABLE or (ours and (ROWS not in tags or whose != self._own)):
            return None
        at: datetime = found["SnapshotCreateTime"]
        automated: Reason = "by hand" if found["SnapshotType"] == "manual" else "by schedule"
        return KeptBackup(
            name=f"{at:%Y%m%d-%H%M%S}-{sha256(name.encode()).hexdigest()[:4]}",
            app=self.settings.app,
            environment=self.settings.environment,
            database=database,
            at=at,
            reason=REASONS.get(tags.get(REASON, ""), automated),
            run=tags.get(LABEL_RUN, ""),
            size_bytes=int(found.get("FullSnapshotSizeInBytes") or 0),
            tables=int(tags.get(TABLES, 0)),
            rows=int(tags.get(ROWS, 0)),
            rpo_seconds=float(tags.get(RPO, 0)),
            where=f"RDS snapshots of {self.instance}/{name}",
            of_the_place=not ours,
        )

    @property
    def _own(self) -> tuple[str, str]:
        return self.settings.app, self.settings.environment

    def _all(self) -> Iterator[dict[str, Any]]:
        with aws_errors("rds"):
            pages = self.client.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=self.instance)
            for page in pages:
                yield from page["DBSnapshots"]


def identifier(begin: str, *of: str) -> str:
    """Return a name that RDS takes, which is always the same of the same: no hyphen twice, none at the end."""
    return re.sub("-+", "-", f"{begin}-{sha256(chr(0).join(of).encode()).hexdigest()[:16]}")


def snapshot_in(kept: KeptBackup) -> str:
    """Return the identifier of the snapshot that a backup is."""
    return kept.where.rpartition("/")[2]


def tags_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a snapshot or an instance."""
    return {one["Key"]: one["Value"] for one in found.get("TagList") or ()}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as RDS takes them."""
    return [{"Key": name, "Value": value} for name, value in tags.items()]
