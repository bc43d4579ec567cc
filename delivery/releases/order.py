"""What a delivery was asked to do: which revision of which application goes where."""

from typing import Any, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from delivery.model import Model
from delivery.releases.release import BuiltImage, ImageRef, Release, Revision
from delivery.releases.run_names import delivery_name, rollback_name
from delivery.spec.app import App, environment_of, passed_before
from delivery.spec.environments import Environment


class Order(Model):
    """One delivery, as every step of it sees it."""

    run: str
    repository: str = Field(description="address or folder, as it was named; of a rollback none")
    folder: str = Field(description="of the application in it")
    app: App
    revision: Revision
    environment: str
    steal: str | None = Field(None, description="the one run from which leases are taken instead of waited for")
    examines: bool = Field(False, description="built and tested alone: nothing of it leaves the engine")
    goes_back: bool = Field(False, description="a rollback: the revision was live here before")

    @model_validator(mode="before")
    @classmethod
    def _without_folder_of_a_machine(cls, value: Any) -> Any:
        """Read what an earlier Headway kept: it named the folder of the files as well."""
        return {key: one for key, one in value.items() if key != "source"} if isinstance(value, dict) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return no more than that it is an object: nobody types one, and each flow describes its parameters at import.

        With all of an application in it, that took half of the time in which a run's process imports the flows.
        """
        return {"title": cls.__name__, "type": "object"}

    @classmethod
    def of_released(cls, app: App, release: Release, environment: str, *, run: str, steal: str | None) -> Self:
        """Return the order of a run that builds nothing: the release was in the environment before."""
        return cls(
            run=run,
            repository="",
            folder=".",
            app=app,
            revision=release.revision,
            environment=environment,
            steal=steal,
            goes_back=True,
        )

    @property
    def name(self) -> str:
        """What its run is called: `shop 1a2b3c4 → production`."""
        if self.goes_back:
            return rollback_name(self.app.app, self.environment, self.revision.short)
        return delivery_name(self.app.app, self.revision.short, self.environment)

    @property
    def policy(self) -> Environment:
        """The environment the order ends in."""
        return environment_of(self.app, self.environment)

    @property
    def stops(self) -> tuple[str, ...]:
        """The environments a release passes before the last one, in order."""
        return passed_before(self.app, self.environment)


class Built(Model):
    """What the build phase made: the application's images and those of its suites."""

    images: tuple[BuiltImage, ...]
    suites: tuple[BuiltImage, ...] = ()

    def refs(self) -> dict[str, ImageRef]:
        """Return name → image for everything that can be run."""
        return {image.name: image.ref for image in (*self.images, *self.suites)}

    def with_suites(self, more: tuple[BuiltImage, ...]) -> "Built":
        """Return this with the images of more suites."""
        return Built(images=self.images, suites=(*self.suites, *more))
