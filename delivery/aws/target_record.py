"""What is known of an environment on ECS, in one object of S3: its slots, their shares, and which lease was obeyed.

ECS has no compare-and-set and a tag holds 256 characters, so this object is the fence: it is written only over what was
read, and by no lease that is older than the one written last. What runs is asked of ECS itself.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic import Field

from delivery.aws.conditional import put_if
from delivery.aws.failures import aws_errors, code_of
from delivery.errors import Rejected, Transient
from delivery.model import Model
from delivery.ports.slots import Colour
from delivery.releases.release import Release
from delivery.spec.services import Service

RACES = 20


class SlotRecord(Model):
    """The release in a slot, and its services as they were described then, without their variables."""

    release: Release
    services: dict[str, Service]
    sequence: int = Field(0, description="of the lease under which it was staged")
    definitions: dict[str, str] = Field({}, description="service: the task definition it runs, where ECS keeps them")


class TargetRecord(Model):
    """What is known of an environment."""

    sequence: int = Field(0, description="the highest lease sequence that was obeyed")
    slots: dict[Colour, SlotRecord] = {}
    shares: dict[Colour, int] = Field({}, description="percent of new requests")
    settled: str = Field("", description="fingerprint of the release that passed every watch last")
    settled_at: datetime | None = None

    def colour_of(self, release: Release) -> Colour | None:
        """Return the slot in which a release stands; of two of them the one that was staged last."""
        found = [colour for colour, one in self.slots.items() if one.release.fingerprint == release.fingerprint]
        return max(found, key=lambda colour: self.slots[colour].sequence, default=None)

    @property
    def live(self) -> Colour | None:
        """The slot with all traffic."""
        return next((colour for colour in self.slots if self.shares.get(colour, 0) > 0), None)

    def with_slot(self, colour: Colour, slot: SlotRecord | None) -> "TargetRecord":
        """Return it with a release in a slot, without traffic, or with nothing there."""
        slots: dict[Colour, SlotRecord] = {name: one for name, one in self.slots.items() if name != colour}
        if slot:
            slots[colour] = slot
        return self.model_copy(update={"slots": slots, "shares": {**self.shares, colour: 0}})

    def with_traffic(self, colour: Colour | None) -> "TargetRecord":
        """Return it with all traffic in one slot."""
        return self.model_copy(update={"shares": {name: 100 * (name == colour) for name in self.slots}})


class RecordBook:
    """The record of one environment, read and changed by the holder of lease `sequence`."""

    def __init__(self, client: Any, bucket: str, key: str, sequence: int) -> None:
        self.client, self.bucket, self.key, self.sequence = client, bucket, key, sequence

    def read(self) -> TargetRecord:
        """Return the record as it stands."""
        with aws_errors("s3"):
            return self._read()[0]

    def change(self, rule: Callable[[TargetRecord], TargetRecord]) -> TargetRecord:
        """Write what `rule` makes of the record, and return that; Rejected when a newer lease was obeyed already."""
        for _ in range(RACES):
            with aws_errors("s3"):
                found, etag = self._read()
                if found.sequence > self.sequence:
                    raise Rejected(
                        f"{self.key} obeyed lease {found.sequence} already; this change holds lease {self.sequence}"
                    )
                new = rule(found.model_copy(update={"sequence": self.sequence}))
                if new == found or put_if(
                    self.client, self.bucket, self.key, new.model_dump_json(indent=2).encode(), etag=etag
                ):
                    return new
        raise Transient(f"s3://{self.bucket}/{self.key} is changed by others again and again")

    def _read(self) -> tuple[TargetRecord, str | None]:
        try:
            found = self.client.get_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if code_of(error) not in ("NoSuchKey", "404"):
                raise
            return TargetRecord(), None
        return TargetRecord.model_validate_json(found["Body"].read()), found["ETag"]
