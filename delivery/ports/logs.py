"""What the parts of an environment print: which lines are wanted, and one of them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.model import Model


class LogWish(Model):
    """Which lines of one part are wanted."""

    part: str = Field(description="a service, a backing service, `database` or `router`")
    slot: Literal["blue", "green"] | None = Field(None, description="of a service; none: the slot that is live")
    tail: int | None = Field(None, ge=0, description="so many of the last lines of each instance; none: all")
    since: datetime | None = Field(None, description="none that were printed before")
    follow: bool = Field(False, description="also those that come, until whoever reads stops, or nothing runs any more")


class LogLine(Model):
    """One line that an instance printed."""

    source: str = Field(description="`web-1`: the service and the number of its instance; else the part's name")
    text: str
