"""An environment that is open, and what a platform has whatever its environments are."""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.ports.backups import Backups
from delivery.ports.builder import Builder
from delivery.ports.cells import Testbeds
from delivery.ports.database import EnvironmentDatabase
from delivery.ports.inventory import Inventory
from delivery.ports.jobs import Jobs
from delivery.ports.orphans import Orphans
from delivery.ports.registry import Registry
from delivery.ports.rehearsals import Rehearsals
from delivery.ports.scanner import Scanner
from delivery.ports.second_place import SecondPlace
from delivery.ports.target import Target
from delivery.releases.release import ImageRef, Release


@dataclass(frozen=True)
class OpenEnvironment:
    """All that a place does for one environment, opened for the holder of a lease; `target` is closed at the end.

    `registry` has the images of its releases; `second_place` is there where backups are copied to one.
    """

    target: Target
    jobs: Jobs
    database: EnvironmentDatabase
    backups: Backups
    registry: Registry
    second_place: SecondPlace | None = None

    def image(self, release: Release, name: str) -> str:
        """Return what runs for a name of headway.yaml: the release's own image, or what the name itself refers to."""
        ours = release.images.get(name)
        return self.registry.reference(ours) if ours else name

    def images(self, refs: Mapping[str, ImageRef]) -> dict[str, str]:
        """Return what runs for each of the images."""
        return {name: self.registry.reference(ref) for name, ref in refs.items()}


@dataclass(frozen=True)
class Services:
    """What a platform uses for every delivery."""

    builder: Builder
    scanner: Scanner
    testbeds: Testbeds
    rehearsals: Rehearsals
    orphans: Orphans
    inventory: Inventory
