"""What stands in headway.yaml about the backups of an environment's database: when they are taken, how many stay."""

from pydantic import Field

from delivery.model import Model


class BackupPolicy(Model):
    """How many backups are kept, and for how long."""

    keep: int = Field(14, ge=1, le=1000, description="at most, of those taken for the same reason")
    keep_days: int = Field(30, ge=1, le=3650, description="older ones are removed; the newest that is proven stays")
    before_migration: bool = Field(True, description="take one before every migration of a database that has data")
