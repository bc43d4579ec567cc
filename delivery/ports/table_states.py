"""What a look at a database sees: one value for each thing that it consists of."""

from pydantic import Field

from delivery.model import Model

SENTINEL = "sentinel"


class TableState(Model):
    """A table, a sequence, a definition or whatever else a database consists of, at one moment."""

    kind: str
    name: str
    rows: int
    checksum: str
    earlier: int | None = Field(None, description="what a sequence that went on showed before the backup began")
    definition: bool = Field(False, description="how something is made, not what is in it")
    unlogged: bool = Field(False, description="empty in a copy of the disk or of the log, whatever it holds in use")

    @property
    def moved(self) -> bool:
        """Whether a sequence went on while the backup was made."""
        return self.earlier is not None

    def holds(self, copy: "TableState") -> bool:
        """Whether the copy's number may be that of a backup of this: no snapshot holds a sequence still."""
        bounds = sorted((self.rows if self.earlier is None else self.earlier, self.rows))
        return bounds[0] <= copy.rows <= bounds[1]
