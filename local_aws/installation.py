"""Where this local AWS is: its port, and the home of the platform that it belongs to."""

from dataclasses import dataclass
from pathlib import Path

from delivery.home import Home

LOOPBACK = "127.0.0.1"
_CURRENT: list["Installation"] = []


@dataclass(frozen=True)
class Installation:
    """The one of this process."""

    home: Home
    port: int

    @property
    def address(self) -> str:
        """What stands in front of the names of images."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """Where every service is asked."""
        return f"http://{self.address}"

    @property
    def folder(self) -> Path:
        """Its records, its keys, and what it has to find again."""
        return self.home.root / "aws"

    def name(self, what: str) -> str:
        """Return what a container, a network or a volume of it is called."""
        return f"headway-{self.home.identity}-aws-{what}"


def set_current(installation: Installation) -> None:
    """Say which one this process is."""
    _CURRENT[:] = [installation]


def current() -> Installation:
    """Return the one that this process is."""
    return _CURRENT[0]
