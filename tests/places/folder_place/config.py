"""What stands in headway.yaml about an environment in a folder."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from delivery.model import Model


class FolderTarget(Model):
    """Releases stand in JSON files of a folder."""

    kind: Literal["folder"] = Field(description="said, for the default is docker")
    folder: Path = Field(description="below it each environment has a folder of its own")
