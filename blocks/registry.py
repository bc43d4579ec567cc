"""The registry that images are pushed to and pulled from."""

from functools import cache
from typing import cast

from prefect.blocks.core import Block
from pydantic import Field

NAME = "headway"


class ImageRegistry(Block):
    """An image registry by its address, as it stands in front of an image's name."""

    _block_type_name = "Headway image registry"
    _block_type_slug = "headway-image-registry"
    _description = "Where Headway pushes the images of a release."

    address: str = Field(description="host:port, or host:port/prefix")


@cache
def current_registry() -> str:
    """Return the address this platform's block names; loaded once in a process."""
    return cast(ImageRegistry, ImageRegistry.load(NAME, _sync=True)).address  # type: ignore[call-arg]
