"""`headway.yaml` as a whole: keys that are right by themselves and fit together."""

from typing import Self

from pydantic import model_validator

from delivery.errors import Misconfigured
from delivery.spec.consistency import problems_of
from delivery.spec.environments import Environment
from delivery.spec.keys import Keys


class App(Keys):
    """The whole of `headway.yaml`: what its parts say of each other is true."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := problems_of(self):
            raise ValueError("\n".join(problems))
        return self


def environment_of(app: App, name: str) -> Environment:
    """Return the environment called `name`; Misconfigured when the file has none."""
    if name not in app.environments:
        raise Misconfigured(f"headway.yaml: environments.{name}", "there is none", ", ".join(app.environments))
    return app.environments[name]


def passed_before(app: App, environment: str) -> tuple[str, ...]:
    """Return the environments a release passes before `environment`, in order."""
    stops: list[str] = []
    name = environment_of(app, environment).after
    while name:
        stops.insert(0, name)
        name = app.environments[name].after
    return tuple(stops)
