"""The artifact store in a bucket of S3: an object a key, written where nothing is."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.conditional import put_if
from delivery.aws.failures import aws_errors, code_of

PAGE = 1000  # the most that S3 gives
NOT_THERE = ("NoSuchKey", "404")


@dataclass(frozen=True)
class Lock:
    """For how long an object stays: GOVERNANCE: nobody without a permission removes it; COMPLIANCE: nobody does.

    The bucket must have Object Lock (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).
    """

    days: int
    mode: str = "GOVERNANCE"

    def headers(self) -> dict[str, Any]:
        """Return what is asked of S3 when an object is written now."""
        return {
            "ObjectLockMode": self.mode,
            "ObjectLockRetainUntilDate": datetime.now(UTC) + timedelta(days=self.days),
        }


class S3Store:
    """A store below a prefix of a bucket; processes on several machines may share it, S3 is consistent at once.

    With a `lock`, which the bucket must allow, nothing that is written can be removed before its days are over.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", lock: Lock | None = None) -> None:
        self.client, self.bucket, self.prefix, self.lock = client, bucket, prefix.strip("/"), lock

    def put(self, key: str, content: bytes) -> str:
        """Write the object on the condition that there is none; FileExistsError when there is."""
        more = self.lock.headers() if self.lock else {}
        with aws_errors("s3"):
            if not put_if(self.client, self.bucket, self._name(key), content, etag=None, **more):
                raise FileExistsError(self.locate(key))
        return self.locate(key)

    def get(self, key: str) -> bytes:
        """Read the object."""
        with aws_errors("s3"):
            try:
                return bytes(self.client.get_object(Bucket=self.bucket, Key=self._name(key))["Body"].read())
            except ClientError as error:
                if code_of(error) in NOT_THERE:
                    raise FileNotFoundError(self.locate(key)) from error
                raise

    def keys(self, prefix: str) -> Iterator[str]:
        """List the objects below `prefix`, a thousand a request, as they are asked for.

        S3 sorts names by their bytes in UTF-8, which is how Python sorts text.
        """
        below = self._name(prefix) if prefix else self.prefix
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{below}/" if below else "", PaginationConfig={"PageSize": PAGE}
        )
        with aws_errors("s3"):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(f"{self.prefix}/" if self.prefix else "")

    def locate(self, key: str) -> str:
        """The object's address."""
        return f"s3://{self.bucket}/{self._name(key)}"

    def _name(self, key: str) -> str:
        normal = posixpath.normpath(key)
        if normal.startswith(("../", "/")) or normal == "..":
            raise ValueError(f"key leaves the store: {key}")
        return f"{self.prefix}/{normal}" if self.prefix else normal
