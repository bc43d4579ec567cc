"""What runs in an environment: two slots, the instances in them, and their shares of traffic."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.model import Model
from delivery.releases.release import Release

Colour = Literal["blue", "green"]
COLOURS: tuple[Colour, Colour] = ("blue", "green")


def other(colour: Colour) -> Colour:
    """Return the other slot."""
    return "green" if colour == "blue" else "blue"


class InstanceState(Model):
    """One running instance of a service."""

    service: str
    name: str
    digest: str | None = Field(description="what the runtime says it runs")
    served_digest: str | None = Field(None, description="what its version path says; none when it has no such path")
    healthy: bool


class SlotState(Model):
    """One of the two places a release can stand in."""

    colour: Colour
    release: Release | None
    weight: int = Field(ge=0, le=100, description="percent of new requests")
    instances: tuple[InstanceState, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether it has instances and all of them are healthy."""
        return bool(self.instances) and all(instance.healthy for instance in self.instances)


class TargetState(Model):
    """What runs now, read from the target itself."""

    slots: tuple[SlotState, ...] = ()
    url: str | None = None
    sequence: int = Field(0, description="the highest lease sequence the target has obeyed")
    settled_at: datetime | None = Field(None, description="when the last release that passed every watch had done so")

    @property
    def live(self) -> SlotState | None:
        """The slot that takes most of the traffic, or none before the first release."""
        taking = [slot for slot in self.slots if slot.release and slot.weight > 0]
        return max(taking, key=lambda slot: slot.weight, default=None)

    @property
    def kept(self) -> SlotState | None:
        """The slot that stands without traffic beside one that takes it all."""
        if self.live is None or self.live.weight < 100:
            return None
        return next((slot for slot in self.slots if slot.release and slot.weight == 0), None)

    def slot_of(self, release: Release) -> SlotState | None:
        """The slot in which `release` stands."""
        for slot in self.slots:
            if slot.release and slot.release.fingerprint == release.fingerprint:
                return slot
        return None
