"""The registry that images are pushed to and pulled from."""

from typing import cast

from prefect.blocks.core import Block
from pydantic import Field

from delivery.ports.registry import Registry
from delivery.state import open_registry

NAME = "headway"


class ImageRegistry(Block):
    """An image registry by its address, as it stands in front of an image's name."""

    _block_type_name = "Headway image registry"
    _block_type_slug = "headway-image-registry"
    _description = "Where Headway pushes the images of a release."

    address: str = Field(description="host:port, host:port/prefix, or ecr://ACCOUNT/PREFIX")


def current_registry() -> Registry:
    """Return the registry that this platform's block names whenever it is asked: `headway up` may have moved it."""
    address = _address()
    return open_registry(address) if "://" in address else Registry(_address)


def _address() -> str:
    return cast(ImageRegistry, ImageRegistry.load(NAME, _sync=True)).address  # type: ignore[call-arg]
