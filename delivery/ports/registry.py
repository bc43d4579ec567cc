"""Where the images of releases are kept: a release names them relative to it, whoever pulls or pushes asks here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr

from delivery.releases.release import ImageRef


@dataclass(frozen=True)
class Login:
    """Whom a registry lets in."""

    server: str
    user: str
    password: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Registry:
    """A registry of images; `address` (`host:port`, or `host:port/prefix`) is asked for each time, for it may move.

    `login` is asked for each time as well, because it may end; none: the one that the engine's user has, or nobody's.
    `prepare` is called with `app/name` before an image is pushed there for the first time, `look` says how it is there
    without changing anything; none: there is nothing to be prepared. `keeps_tags`: a tag that is there stands for its
    image for good, and whoever gives it to another one is refused.
    """

    address: Callable[[], str]
    login: Callable[[], Login] | None = None
    prepare: Callable[[str], None] = lambda _: None
    look: Callable[[str], str] | None = None
    keeps_tags: bool = False

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
