"""Where a platform keeps JUnit, SBOMs, releases, evidence, reports and the journal."""

from functools import cache
from typing import cast

from prefect.blocks.core import Block
from pydantic import Field

from delivery.ports.store import Store
from delivery.state import open_store

NAME = "headway"


class ArtifactStore(Block):
    """A folder, or a place in a bucket of S3, that all runs of this platform can reach."""

    _block_type_name = "Headway artifact store"
    _block_type_slug = "headway-artifact-store"
    _description = "Where Headway keeps releases, evidence, reports and its journal."

    address: str = Field(description="absolute path of a folder, or s3://BUCKET/PREFIX")

    lock: str = Field(
        default="", description="in a bucket: governance:DAYS or compliance:DAYS, for which nothing can be removed"
    )

    def store(self) -> Store:
        """Hand out the store."""
        return open_store(self.address, self.lock)


@cache
def current_store() -> Store:
    """Return the store this platform's block names; loaded once in a process."""
    return cast(ArtifactStore, ArtifactStore.load(NAME, _sync=True)).store()  # type: ignore[call-arg]
