"""Leases in a bucket of S3: an object each, written only over what was read. There is no other lock."""

import random
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.conditional import put_if
from delivery.aws.failures import aws_errors, code_of
from delivery.changes.lease import LeaseRules, Ruling
from delivery.changes.processes import nobody
from delivery.errors import Transient
from delivery.ports.heartbeats import Whereabouts
from delivery.ports.leases import LEASE_SECONDS, Lease

FOLDER = "leases"
# So often somebody else may be first before a step is told to come back later.
RACES = 20
PAUSE_SECONDS = 0.05


class S3Leases(LeaseRules):
    """Leases that every process with access to the bucket shares; a rule is asked again when somebody was first."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str = "",
        *,
        lease_seconds: float = LEASE_SECONDS,
        platform: Callable[[], str] = nobody,
        here: Whereabouts | None = None,
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, platform=platform, here=here)
        self.client, self.bucket = client, bucket
        self._folder = "/".join(filter(None, (prefix.strip("/"), FOLDER)))

    def read(self, app: str, environment: str) -> Lease:
        """Return the lease as it stands; sequence 0 when nobody ever had it."""
        with aws_errors("s3"):
            return self._read(app, environment)[0]

    def all(self) -> list[Lease]:
        """Return every lease there ever was, in order of name."""
        with aws_errors("s3"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self._folder}/")
            names = [found["Key"] for page in pages for found in page.get("Contents", ())]
            return [Lease.model_validate_json(self._get(name)[0]) for name in sorted(names)]

    def _change(self, app: str, environment: str, rule: Callable[[Lease], Ruling]) -> Lease | None:
        for race in range(RACES):
            with aws_errors("s3"):
                current, etag = self._read(app, environment)
                lease, error = rule(current)
                written = lease is None or put_if(
                    self.client, self.bucket, self._name(app, environment), _content(lease), etag=etag
                )
            if written and error:
                raise error
            if written:
                return lease
            time.sleep(random.uniform(0, PAUSE_SECONDS * (race + 1)))  # noqa: S311  # so that racers part
        raise Transient(f"{environment} of {app}: its lease is changed by others again and again")

    def _read(self, app: str, environment: str) -> tuple[Lease, str | None]:
        """Return the lease and the tag of what was read; no tag: there is none yet."""
        try:
            content, etag = self._get(self._name(app, environment))
        except ClientError as error:
            if code_of(error) not in ("NoSuchKey", "404"):
                raise
            return Lease(app=app, environment=environment, sequence=0), None
        return Lease.model_validate_json(content), etag

    def _get(self, name: str) -> tuple[bytes, str]:
        found = self.client.get_object(Bucket=self.bucket, Key=name)
        return found["Body"].read(), found["ETag"]

    def _name(self, app: str, environment: str) -> str:
        return f"{self._folder}/{app}.{environment}.json"


def _content(lease: Lease) -> bytes:
    return lease.model_dump_json(indent=2).encode()
