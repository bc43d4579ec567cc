"""What a delivery was asked to do: which revision of which application goes where."""

from pathlib import Path

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from delivery.model import Model
from delivery.releases.release import BuiltImage, Revision
from delivery.releases.run_names import delivery_name, rollback_name
from delivery.spec.app import App, environment_of, passed_before
from delivery.spec.environments import Environment


class Order(Model):
    """One delivery, as every step of it sees it."""

    run: str
    repository: str
    folder: str
    source: str
    app: App
    revision: Revision
    environment: str
    steal: str | None = Field(None, description="the one run from which leases are taken instead of waited for")
    goes_back: bool = Field(False, description="a rollback: the revision was live here before")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return no more than that it is an object: nobody types one, and each flow describes its parameters at import.

        With all of an application in it, that took half of the time in which a run's process imports the flows.
        """
        return {"title": cls.__name__, "type": "object"}

    @property
    def name(self) -> str:
        """What its run is called: `shop 1a2b3c4 → production`."""
        if self.goes_back:
            return rollback_name(self.app.app, self.environment, self.revision.short)
        return delivery_name(self.app.app, self.revision.short, self.environment)

    @property
    def path(self) -> Path:
        """Where the application's files of this revision lie."""
        return Path(self.source)

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

    def refs(self) -> dict[str, str]:
        """Return name → reference for everything that can be run."""
        return {image.name: str(image.ref) for image in (*self.images, *self.suites)}

    def with_suites(self, more: tuple[BuiltImage, ...]) -> "Built":
        """Return this with the images of more suites."""
        return Built(images=self.images, suites=(*self.suites, *more))
