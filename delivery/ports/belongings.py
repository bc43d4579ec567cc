"""What an environment has where it runs, and what is lost with it."""

from pydantic import Field

from delivery.model import Model


class Belonging(Model):
    """One thing that an environment has where it runs."""

    kind: str = Field(description="container, network, volume: in the target's words")
    name: str
    keeps: str = Field("", description="what is lost with it, in words; empty: nothing that a release does not bring")


class Losses(Model):
    """What the instances in an environment wrote that is lost with them."""

    lines: tuple[str, ...] = Field(description="each in words that name the key")
