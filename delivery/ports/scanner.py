"""The scanner: what is in an image, whichever program finds it."""

from datetime import datetime, timedelta
from typing import Protocol

from delivery.model import Model
from delivery.releases.release import ImageRef
from delivery.scanning.findings import ScanReport
from delivery.spec.scan import ScanPolicy

LIVES = timedelta(hours=1)
FAILURE_LIVES = timedelta(minutes=10)


class VulnerabilityDatabase(Model):
    """What is known of the vulnerability database of one source; `volume` holds it."""

    checked_at: datetime
    volume: str | None = None
    built: datetime | None = None
    next_update: datetime | None = None
    problem: str = ""

    def is_current(self, now: datetime) -> bool:
        """Whether there is no sense in asking for a newer one yet."""
        if self.next_update and self.next_update > now:
            return True
        return now - self.checked_at < (FAILURE_LIVES if self.problem else LIVES)


class Scanner(Protocol):
    """Looks into images, which are read from their registry by digest."""

    def prepare(self, policy: ScanPolicy, run: str) -> VulnerabilityDatabase:
        """Bring up what scans need, and the newest vulnerability database that can be had within minutes.

        All runs of a platform share it; a failure is told in its `problem`.
        """
        ...

    def last_known(self, policy: ScanPolicy) -> VulnerabilityDatabase | None:
        """Return what was noted when the database was last asked for, or none; asks nobody."""
        ...

    def scan(self, name: str, ref: ImageRef, policy: ScanPolicy, run: str) -> ScanReport:
        """Return what is in the image called `name`.

        Raises Transient when the scanner could not look, Rejected when its report cannot be used.
        """
        ...

    def sbom(self, ref: ImageRef, run: str) -> bytes:
        """Return what the image consists of as CycloneDX JSON; Transient when the scanner could not look."""
        ...
