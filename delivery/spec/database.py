"""What stands in headway.yaml about the database and its migrations."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from delivery.model import Model
from delivery.spec.kinds import ByKind
from delivery.spec.parts import Files, Secrets
from delivery.spec.rehearsal import RehearsalPolicy

MOST_MIGRATION_SECONDS = 86400
LOCK_TIMEOUT_SECONDS = 10.0
DATABASE_PATTERN = r"^[a-z_][a-z0-9_]{0,62}$"
EXTENSION_PATTERN = r"^[a-z_][a-z0-9_-]{0,62}$"
Folders = Annotated[
    Annotated[str, Tag("folder")] | Annotated[tuple[str, ...], Field(min_length=1), Tag("folders")],
    Discriminator(lambda value: "folders" if isinstance(value, list | tuple) else "folder"),
]


class Migration(Model):
    """How the schema is brought up to date: by a tool that is known, or any command in any image."""

    # Written only where they are said: the hash of the configuration is over what is written.
    tool: Literal["command", "alembic", "flyway", "liquibase"] = Field(
        "command",
        exclude_if=lambda given: given == "command",
        description="what brings it up to date: alembic, flyway, liquibase; or any command",
    )
    image: str = Field(description="name under `images`, or an image reference")
    command: list[str] | None = Field(
        None, description="instead of the image's own command; of a tool: what starts it, before its own words"
    )
    env: dict[str, str] = Field(
        {}, description="environment variables beside DATABASE_URL; ${database.url} is filled in"
    )
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: Secrets = Field({}, description="variable: name of a Prefect secret block; or variables of environments")
    files: Folders | None = Field(
        None, description="folder of the migrations, or a list of them; what is in them is part of the release"
    )
    lock_timeout_seconds: float = Field(
        LOCK_TIMEOUT_SECONDS,
        gt=0,
        le=3600,
        exclude_if=lambda given: given == LOCK_TIMEOUT_SECONDS,
        description="how long a statement waits for a lock, and everybody behind it, before the migration fails",
    )
    timeout_seconds: int = Field(
        600, ge=1, le=MOST_MIGRATION_SECONDS, description="after it the migration failed, and is ended"
    )
    down: tuple[str, ...] = Field(
        (), exclude_if=lambda given: not given, description="command that takes what is new back; of a tool: its own"
    )
    # Nothing of it changes what is released.
    rehearsal: RehearsalPolicy = Field(
        RehearsalPolicy(),
        exclude_if=lambda given: given == RehearsalPolicy(),
        description="what is tried on a copy before, and what of it stops a release",
    )

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of `files`."""
        return tuple(filter(None, [self.files] if isinstance(self.files, str) else self.files or ()))


class ContainerDatabase(Model):
    """A PostgreSQL database whose server runs in a container beside the environment's services."""

    # Never written: what was kept before has none, and the hash of the configuration is over what is written.
    kind: Literal["container"] = Field("container", exclude=True, description="may be left out")
    engine: Literal["postgres"] = Field("postgres", description="the one that is known")
    image: str = Field("postgres:15-alpine", description="image of the server, in test cells as well")
    name: str = Field("app", pattern=DATABASE_PATTERN, description="name of the database")
    # Written only where there are any, for the same reason.
    extensions: tuple[Annotated[str, Field(pattern=EXTENSION_PATTERN)], ...] = Field(
        (), exclude_if=lambda given: not given, description="made by the server's administrator, before any migration"
    )
    migrate: Migration | None = Field(None, description="none: the application sees to its schema itself")


# Another kind is another class, and joins here: ContainerDatabase | RdsDatabase.
Database = Annotated[ContainerDatabase, ByKind(left_out="container")]
