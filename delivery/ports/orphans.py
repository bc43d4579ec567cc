"""What runs left behind where they ran: things without a living owner."""

from collections.abc import Collection
from typing import Protocol

from delivery.model import Model


class Orphan(Model):
    """A thing of a run that has ended or was given up."""

    kind: str
    id: str
    name: str
    run: str
    role: str
    why: str


class Orphans(Protocol):
    """Finds and removes what runs left behind; what belongs to an environment is never touched."""

    def find(self, living: Collection[str] | None = None) -> list[Orphan]:
        """Return what is past its expiry or, with `living`, of a run that is not in it; changes nothing."""
        ...

    def sweep(self, living: Collection[str] | None = None) -> list[Orphan]:
        """Remove what `find` finds, and return what was removed."""
        ...

    def remove_run(self, run: str) -> None:
        """Remove everything of a run; whoever still waits for some of it gets Interrupted."""
        ...
