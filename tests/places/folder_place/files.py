"""The files of one environment: what stands in its slots, what its images do when they run, its database."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from filelock import FileLock
from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model
from delivery.ports.slots import Colour
from delivery.releases.release import ImageRef, Release


class RunningSlot(Model):
    """A release in a slot."""

    release: Release
    instances: dict[str, int] = Field(description="of each service")
    weight: int = 0


class State(Model):
    """What stands in an environment; `sequence` is the fence."""

    slots: dict[Colour, RunningSlot] = {}
    settled: str = Field("", description="fingerprint of the last release that passed every watch")
    settled_at: datetime | None = None
    sequence: int = 0


class ImageFile(Model):
    """What the instances of an image do; one without a file is well and serves itself."""

    healthy: bool = True
    silent: bool = Field(False, description="not healthy either, and that shows only when its time is over")
    serves: str | None = Field(None, description="the digest it tells; none: its own")
    error_percent: float = Field(0, description="of requests, once users send them")


class Table(Model):
    """A table of a database: its rows in order."""

    rows: tuple[str, ...] = ()


class Data(Model):
    """A database: its password, which is why its file is for its owner alone, and its tables."""

    name: str
    password: str = Field(repr=False)
    tables: dict[str, Table] = {}


class Files:
    """The folder of one environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.database = folder / "state.json", folder / "database.json"

    def read(self) -> State:
        """Return what stands there now."""
        return State.model_validate_json(self.state.read_bytes()) if self.state.exists() else State()

    def change(self, sequence: int, alter: Callable[[State], State]) -> State:
        """Write what `alter` makes of the state, one process after the other; Rejected for a lease that is over."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "state.lock"):
            found = self.read()
            if sequence < found.sequence:
                raise Rejected(
                    f"{self.folder} obeyed lease {found.sequence} already; this change holds lease {sequence}"
                )
            changed = alter(found.model_copy(update={"sequence": sequence}))
            write(self.state, changed)
        return changed

    def image(self, image: ImageRef) -> ImageFile:
        """Return what the instances of an image do."""
        path = self.image_path(image)
        return ImageFile.model_validate_json(path.read_bytes()) if path.exists() else ImageFile()

    def image_path(self, image: ImageRef) -> Path:
        """Return where that is written."""
        return self.folder / "images" / f"{image.digest.removeprefix('sha256:')}.json"


def write(path: Path, value: Model) -> None:
    """Put a value into a file that is whole at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(value.model_dump_json())
    os.replace(file.name, path)
