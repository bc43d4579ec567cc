"""How it is told whether a service is well: what it is asked, as whom, within which limits, and what its image says."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from delivery.model import HOST_AND_PORT_PATTERN, HttpPath, Model

LOCAL_HOST = "localhost"  # what an image's own HEALTHCHECK asks as well, so most applications answer to it
HostAndPort = Annotated[str, StringConstraints(pattern=HOST_AND_PORT_PATTERN, max_length=253)]


class Health(Model):
    """How a service is asked whether it is well, and how often it may fail to answer."""

    path: HttpPath | None = Field(None, description="path that answers 2xx when ready; none: the port accepts")
    host: HostAndPort | None = Field(
        None, description="the Host header; none: the first of the service's `hosts`, else localhost"
    )
    timeout_seconds: float = Field(5, ge=0.1, le=60, description="an answer that is later is a failed one")
    interval_seconds: float = Field(0.3, ge=0.1, le=60, description="between two questions of the router")
    failures: int = Field(3, ge=1, le=20, description="so many in a row, and it is not well any more")
    image_check: bool | None = Field(
        None,
        description="whether the image's own HEALTHCHECK runs; none: but for a worker whose image a service with a "
        "port uses as well",
    )

    @property
    def grace_seconds(self) -> float:
        """How long nothing but late answers are waited for."""
        return self.timeout_seconds * self.failures


def _form(value: object) -> str:
    return "off" if value == "none" else "settings" if isinstance(value, dict | Health) else "short"


HealthSetting = Annotated[
    Annotated[HttpPath, Tag("short")] | Annotated[Health, Tag("settings")] | Annotated[Literal["none"], Tag("off")],
    Discriminator(_form),
]


def health_of(setting: str | Health | None) -> Health:
    """Return the settings that a setting in any of its forms stands for."""
    match setting:
        case Health():
            return setting
        case "none":
            return Health(image_check=False)
        case str():
            return Health(path=setting)
        case _:
            return Health()
