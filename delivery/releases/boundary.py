"""What stands between the live release and an earlier one: a schema that the earlier code may not run on."""

from datetime import datetime

from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model
from delivery.releases.rehearsal import Rehearsal


class WayBack(Model):
    """A kept backup of the time before the boundary, and what is lost by going back to it."""

    backup: str
    at: datetime
    now: datetime

    @property
    def lost_seconds(self) -> float:
        """Everything that was written in these last seconds."""
        return (self.now - self.at).total_seconds()


class Boundary(Model):
    """What going from the live release to an earlier one means for the database, by the rehearsal of their code."""

    environment: str
    live: str
    earlier: str
    shown: Rehearsal
    applied: tuple[str, ...] = Field((), description="what lies between both, where the tool tells it")
    way_back: WayBack | None = None

    @property
    def is_in_the_way(self) -> bool:
        """Whether the earlier code is known not to run on the schema as it is."""
        return self.shown.rollback in ("down", "recovery")


def check_boundary(boundary: Boundary) -> None:
    """Return when the earlier code may run on the schema as it is; Rejected, with the ways forward, when it does not.

    What is not known stops nobody: the release is staged and watched before it has users.
    """
    if not boundary.is_in_the_way:
        return
    between = f" ({', '.join(boundary.applied)})" if boundary.applied else ""
    schema = f"the schema that {boundary.live} brought{between}"
    lines = [
        f"{boundary.earlier} does not run on {schema}: {boundary.shown.obstacle}",
        "nothing was changed",
        *_ways(boundary),
    ]
    raise Rejected("\n  ".join(lines))


def _ways(boundary: Boundary) -> list[str]:
    ways = ["next: deliver a revision that mends what is wrong and runs on this schema: headway run"]
    if boundary.shown.rollback == "down":
        ways.append("or take the migrations back first, which was rehearsed and loses nothing: headway rollback --down")
    elif back := boundary.way_back:
        lost = f"loses what was written in the last {back.lost_seconds:.0f} s"
        ways.append(f"or go back to the time before it, which {lost}: headway rollback --restore {back.backup}")
    else:
        ways.append("no backup of the time before it is kept")
    return ways
