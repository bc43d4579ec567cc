"""Where a platform keeps JUnit, SBOMs, releases, evidence, reports and the journal."""

from functools import cache
from pathlib import Path
from typing import cast

from prefect.blocks.core import Block
from pydantic import Field

from delivery.ports.store import FolderStore, Store

NAME = "headway"


class ArtifactStore(Block):
    """A folder that all runs of this platform can reach."""

    _block_type_name = "Headway artifact store"
    _block_type_slug = "headway-artifact-store"
    _description = "Where Headway keeps releases, evidence, reports and its journal."

    folder: str = Field(description="absolute path of the folder")

    def store(self) -> Store:
        """Hand out the store."""
        return FolderStore(Path(self.folder))


@cache
def current_store() -> Store:
    """Return the store this platform's block names; loaded once in a process."""
    return cast(ArtifactStore, ArtifactStore.load(NAME, _sync=True)).store()  # type: ignore[call-arg]
