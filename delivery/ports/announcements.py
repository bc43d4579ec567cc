"""What people elsewhere are told of a run while it goes on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field

from delivery.errors import HeadwayError
from delivery.model import Model

Progress = Literal["queued", "waits", "running", "passed", "refused", "broken"]
ENDED = ("passed", "refused", "broken")


class NotTold(HeadwayError):
    """Some of it could not be told; after `again_seconds` it may be, or never when that is none."""

    def __init__(self, message: str, again_seconds: float | None = None) -> None:
        super().__init__(message)
        self.again_seconds = again_seconds


class Subject(Model):
    """Which run it is about."""

    app: str
    sha: str
    environment: str = Field(description="where the run ends")
    run: str
    name: str = Field(description="what the run is called")
    started: datetime
    url: str = Field("", description="where the run is shown")
    goes_back: bool = Field(False, description="a rollback")


class Announcement(Model):
    """How far one part of a run is."""

    part: str = Field(description="a phase, or the name of an environment")
    progress: Progress = Field(
        description="queued: not begun; waits: for a person; refused: by a gate or by how the release behaved; "
        "broken: it says nothing of the release"
    )
    text: str = Field("", description="in one line, why")
    is_environment: bool = False
    has_begun: bool = Field(False, description="of an environment: the release came as far as that")
    site: str = Field("", description="where the environment answers users")


class Announcements(Protocol):
    """Somebody who is told how far a run is."""

    def tell(self, news: Sequence[Announcement]) -> None:
        """Tell the newest of every part; what was told before is not repeated. Raises NotTold."""
        ...
