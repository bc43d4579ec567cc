"""Which tool an application's migrations are for, and what a container of it is started with."""

from delivery.migrations.alembic import Alembic
from delivery.migrations.command import Command
from delivery.migrations.flyway import Flyway
from delivery.migrations.liquibase import Liquibase
from delivery.migrations.tool import MigrationTool, Operation
from delivery.spec.database import Migration

TOOLS: dict[str, MigrationTool] = {
    "command": Command(),
    "alembic": Alembic(),
    "flyway": Flyway(),
    "liquibase": Liquibase(),
}


def tool_of(migration: Migration) -> MigrationTool:
    """Return the tool that headway.yaml names."""
    return TOOLS[migration.tool]


def takes_back(migration: Migration) -> bool:
    """Whether there is a way to take migrations back: a command, or the tool's own."""
    return bool(migration.down) or tool_of(migration).takes_back


def words_of(migration: Migration, operation: Operation, count: int = 1, up_to: str = "") -> tuple[str, ...] | None:
    """Return the command of a container: what starts the tool, and what it is asked; none: the image's own."""
    if operation == "revert" and migration.down:
        return migration.down
    said = None if migration.command is None else tuple(migration.command)
    words = tool_of(migration).words(operation, count, up_to)
    return said if not words else (*(tool_of(migration).program if said is None else said), *words)
