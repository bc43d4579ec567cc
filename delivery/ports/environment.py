"""An environment that is open, and what a platform has whatever its environments are."""

from dataclasses import dataclass

from delivery.ports.backups import Backups
from delivery.ports.builder import Builder
from delivery.ports.cells import Testbeds
from delivery.ports.database import EnvironmentDatabase
from delivery.ports.inventory import Inventory
from delivery.ports.jobs import Jobs
from delivery.ports.orphans import Orphans
from delivery.ports.scanner import Scanner
from delivery.ports.target import Target


@dataclass(frozen=True)
class OpenEnvironment:
    """All that a place does for one environment, opened for the holder of a lease; `target` is closed at the end.

    `host` says where its images are looked for; none: on this machine.
    """

    target: Target
    jobs: Jobs
    database: EnvironmentDatabase
    backups: Backups
    host: str | None = None


@dataclass(frozen=True)
class Services:
    """What a platform uses for every delivery."""

    builder: Builder
    scanner: Scanner
    testbeds: Testbeds
    orphans: Orphans
    inventory: Inventory
