"""What stands in headway.yaml about the backups of an environment's database: when they are taken, how many stay."""

from typing import Literal

from pydantic import Field

from delivery.model import Model, Name

DrillCheck = Literal["pages", "indexes", "application"]


class DrillPolicy(Model):
    """What a drill, and any restore that proves something, has to show."""

    deadline_seconds: float = Field(14400, gt=0, description="a drill that takes longer is ended, and has failed")
    rpo_seconds: float | None = Field(None, gt=0, description="what would be lost at most; none: it is only told")
    rto_seconds: float | None = Field(None, gt=0, description="how long going back may take; none: it is only told")
    suites: tuple[Name, ...] = Field(
        (), description="suites that only read, run against the live release on the copy; none: its services start"
    )
    without: tuple[DrillCheck, ...] = Field(
        (), description="checks that are not wanted: pages, indexes, application; others that cannot be made: unknown"
    )


class BackupPolicy(Model):
    """How many backups are kept, for how long, and what proves them."""

    keep: int = Field(14, ge=1, le=1000, description="at most, of those taken for the same reason")
    keep_days: int = Field(30, ge=1, le=3650, description="older ones are removed; the newest that is proven stays")
    any_second: bool = Field(
        False,
        exclude_if=lambda given: not given,
        description="archive every change as it is written, so that any second can be gone back to",
    )
    any_second_days: int = Field(
        7, ge=1, le=365, exclude_if=lambda given: given == 7, description="for how many days back"
    )
    newest_hours: float = Field(
        50, gt=0, description="an older newest backup, or newest copy in a second region, is told, and fails the night"
    )
    proven_within_days: float = Field(
        7, gt=0, description="what a migration marked `contract` needs: a backup that was restored, no older than this"
    )
    drill: DrillPolicy = Field(DrillPolicy(), description="what going back has to show")
    before_migration: bool = Field(True, description="take one before every migration of a database that has data")
