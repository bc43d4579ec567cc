"""What a tool says of a database: what was applied, what is pending, what waits, and what is wrong."""

from pydantic import Field

from delivery.model import Model


class MigrationsTold(Model):
    """The tool's answers, in its order; of a command, nothing is known."""

    tool: str
    applied: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    waiting: tuple[str, ...] = Field((), description="of those that are pending: until nobody can want to go back")
    due: tuple[str, ...] = Field((), description="of those that shrink the schema: their time has come")
    problem: str = Field("", description="what it found wrong with the files, or with what ran")
