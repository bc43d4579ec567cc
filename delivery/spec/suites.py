"""What stands in headway.yaml about a suite: one row of the test matrix."""

from typing import Literal, Self

from pydantic import Field, model_validator

from delivery.model import Model, Name
from delivery.spec.images import Image
from delivery.spec.parts import Files

MOST_SUITE_SECONDS = 86400

Tool = Literal["command", "jest", "vitest", "node", "pytest", "newman", "playwright", "cypress"]


class Suite(Model):
    """One row of the test matrix: an image or build stage, a command and what it needs around it."""

    tool: Tool = Field("command", description="knows how the tool shards and where it writes JUnit")
    image: str | None = Field(None, description="name under `images`, or an image reference")
    build: Image | None = Field(None, description="an image only for this suite (a test stage, a folder of tests)")
    compose: str | None = Field(None, description="a Compose file to use as the environment")
    compose_service: str | None = Field(None, description="the Compose service whose exit code counts")
    command: list[str] | None = Field(None, description="instead of the image's or the tool's own; ${axis} works")
    services: tuple[Name, ...] = Field((), description="services under test that run beside the suite")
    database: bool = Field(False, description="an own, migrated database for each cell")
    env: dict[str, str] = Field({}, description="environment variables; ${axis} and ${database.url} are filled in")
    env_file: Files | None = Field(None, description="dotenv file, or a list of them; `env` wins over what is in them")
    secrets: dict[str, str] = Field({}, description="variable: name of the Prefect secret block that holds it")
    junit: str | None = Field(None, description="glob of JUnit files in the container; none: the exit code alone")
    axes: dict[Name, tuple[str, ...]] = Field({}, description="every combination is a cell; given as variables")
    shards: int = Field(
        1,
        ge=1,
        le=64,
        description="cells the tests are spread over: HEADWAY_SHARD counts from 1, HEADWAY_SHARD_INDEX from 0",
    )
    timeout_seconds: int = Field(
        600, ge=1, le=MOST_SUITE_SECONDS, description="after it the cell is stopped and did not pass"
    )

    @model_validator(mode="after")
    def _one_way_to_run(self) -> Self:
        given = [key for key in ("image", "build", "compose") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"needs exactly one of image, build, compose (found {found})")
        if self.compose and not self.compose_service:
            raise ValueError("compose needs compose_service: the service whose exit code counts")
        for axis, values in self.axes.items():
            if not values or len(set(values)) < len(values):
                raise ValueError(f"axes.{axis}: needs at least one value, and none twice (found {list(values)})")
        return self
