"""A second place that backups are copied to: losing the first one does not lose them."""

from datetime import datetime
from typing import Protocol

from pydantic import Field

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.ports.backups import Restored
from delivery.ports.drills import Drill


class Copies(Model):
    """The copies of an environment's backups in a second place."""

    where: str = Field(description="the region and the vault")
    newest: datetime | None = Field(None, description="the moment of which the newest copy is")
    lag_seconds: float = Field(0, description="from that moment until that copy was there")
    count: int = 0
    problem: str = Field("", description="why it cannot be asked, or how the newest copy failed; empty: neither")


class SecondPlace(Protocol):
    """Where copies of an environment's backups are, and can be restored without the first place."""

    def copies(self) -> Copies:
        """Return what there is; a place that cannot be asked is told as its problem, and is no error."""
        ...

    def send(self, run: str) -> Copies:
        """Take a backup that is copied there, and return what there is once the copy has come, or has failed.

        Whoever comes after a kill goes on with it: a run sends one. Raises Rejected when it failed, with why.
        """
        ...

    def drill(self, run: str, *, deadline_seconds: float) -> Drill:
        """Restore the newest copy there, and return what that showed; what was made for it is gone afterwards."""
        ...

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Restore a copy there, as a new server called `into`, which stays; `latest` is the newest copy.

        The first place is not asked for anything: it may be lost. Raises Misconfigured when there is no such copy, or
        such a server; Rejected when it does not come up, or what it holds is not what was there.
        """
        ...


def no_second_place(environment: str) -> Misconfigured:
    """Return the error of an environment whose backups are copied nowhere."""
    where = f"second place of the backups of {environment}"
    return Misconfigured(where, "there is none", "a database on RDS, and a vault of AWS Backup in another region")
