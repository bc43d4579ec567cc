"""What stands in headway.yaml about an environment in a folder."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from delivery.spec.services import Service
from delivery.spec.shift import ShiftPlan
from delivery.spec.target import TargetSettings


class FolderTarget(TargetSettings):
    """Releases stand in JSON files of a folder."""

    kind: Literal["folder"] = Field(description="said, for the default is docker")
    folder: Path = Field(description="below it each environment has a folder of its own")

    def problems(
        self, before: Mapping[str, TargetSettings], shift: ShiftPlan, services: Mapping[str, Service]
    ) -> Iterator[str]:
        """Yield that the folder is another one for each process."""
        if not self.folder.is_absolute():
            yield f"target.folder: found {self.folder}; allowed: an absolute path"
