"""What stands in headway.yaml about an image that is built from the repository."""

from typing import Annotated

from pydantic import AfterValidator, Field

from delivery.model import Model

CA_SECRET = "ca"  # noqa: S105  # a Dockerfile that mounts it gets the machine's own authorities
OWN = "headway-"


def _free(name: str) -> str:
    if name == CA_SECRET or name.startswith(OWN):
        raise ValueError(f"found {name}, which Headway fills itself; allowed: any other name than {CA_SECRET}, {OWN}…")
    return name


SecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"), AfterValidator(_free)]


class Image(Model):
    """One image built from the repository."""

    context: str = Field(".", description="folder sent to the build, relative to headway.yaml")
    dockerfile: str = Field("Dockerfile", description="relative to the context")
    target: str | None = Field(None, description="build stage; the last one when left out")
    build_args: dict[str, str] = Field({}, description="build arguments")
    build_secrets: dict[SecretId, str] = Field(
        {}, description="id of a RUN --mount=type=secret: name of the Prefect secret block that holds it"
    )
    bases: dict[str, str] = Field(
        {}, description="other images to use for those the Dockerfile starts from: {'node:22-alpine': 'mirror/node:22'}"
    )
