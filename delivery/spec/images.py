"""What stands in headway.yaml about an image that is built from the repository."""

from pydantic import Field

from delivery.model import Model


class Image(Model):
    """One image built from the repository."""

    context: str = Field(".", description="folder sent to the build, relative to headway.yaml")
    dockerfile: str = Field("Dockerfile", description="relative to the context")
    target: str | None = Field(None, description="build stage; the last one when left out")
    build_args: dict[str, str] = Field({}, description="build arguments")
    bases: dict[str, str] = Field(
        {}, description="other images to use for those the Dockerfile starts from: {'node:22-alpine': 'mirror/node:22'}"
    )
