"""What is left on purpose when an environment's infrastructure was destroyed, each with how long it stays."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors, code_of


def what_stays(access: AwsAccess, outputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return final snapshots of the database and the evidence in the artifact bucket, in words."""
    return (*_snapshots(access, outputs.get("database") or {}), *_evidence(access, outputs.get("service") or {}))


def _snapshots(access: AwsAccess, database: Mapping[str, Any]) -> Iterator[str]:
    if not database.get("identifier"):
        return
    with aws_errors("rds"):
        found = access.client("rds").describe_db_snapshots(
            DBInstanceIdentifier=database["identifier"], SnapshotType="manual"
        )
    for one in found["DBSnapshots"]:
        yield f"snapshot {one['DBSnapshotIdentifier']} of the database: kept until somebody deletes it"


def _evidence(access: AwsAccess, service: Mapping[str, Any]) -> Iterator[str]:
    """Yield the artifact bucket, with the end of the last lock in it when what was written last is locked."""
    if not (bucket := service.get("bucket")):
        return
    with aws_errors("s3"):
        try:
            until = _locked_until(access.client("s3"), bucket)
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                return
            raise
    lasts = f"locked until {until:%Y-%m-%d %H:%M} UTC" if until else "not locked, kept until somebody deletes it"
    yield f"evidence in s3://{bucket}: {lasts}"


def _locked_until(client: Any, bucket: str) -> datetime | None:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    newest = max(
        (one for page in pages for one in page.get("Contents", ())), key=lambda one: one["LastModified"], default=None
    )
    if newest is None:
        return None
    return client.head_object(Bucket=bucket, Key=newest["Key"]).get("ObjectLockRetainUntilDate")  # type: ignore[no-any-return]
