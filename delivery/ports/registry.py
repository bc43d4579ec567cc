"""Where the images of releases are kept: a release names them relative to it, whoever pulls or pushes asks here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from delivery.releases.release import ImageRef


@dataclass(frozen=True)
class Registry:
    """A registry of images; `address` (`host:port`, or `host:port/prefix`) is asked for each time, for it may move."""

    address: Callable[[], str]

    @classmethod
    def at(cls, address: str) -> "Registry":
        """Return the registry that is always there."""
        return cls(partial(str, address))

    def repository(self, name: str) -> str:
        """Return where images called `app/name` are pushed to."""
        return f"{self.address()}/{name}"

    def reference(self, ref: ImageRef) -> str:
        """Return what is pulled or run for an image of a release: it is the same wherever it is, by its digest."""
        return f"{self.repository(ref.repository)}@{ref.digest}"
