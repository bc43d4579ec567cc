"""What an environment stands on: planned, and changed by exactly the plan that was allowed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from delivery.releases.infrastructure import InfrastructurePlan, Output, ResourceChange


@dataclass(frozen=True)
class PlannedInfrastructure:
    """A plan with what is needed to carry it out, in which there are secrets.

    `declared` are the names of all outputs that there will be, `outputs` themselves when nothing changes.
    """

    plan: InfrastructurePlan
    content: bytes = field(repr=False)
    declared: tuple[str, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict, repr=False)


class Infrastructure(Protocol):
    """The infrastructure of one environment.

    All raise Misconfigured when its description is wrong, with the place, Transient when it could not be asked, and
    while somebody else changes it, who then is named. `whose` says which infrastructure it is: of a plan the same.
    """

    @property
    def whose(self) -> tuple[str, str, str]:
        """Application, environment and workspace."""
        ...

    def plan(self, *, destroy: bool = False) -> PlannedInfrastructure:
        """Return what would bring it to what is described, or with `destroy` to nothing; nothing is changed."""
        ...

    def apply(self, planned: PlannedInfrastructure) -> dict[str, Output]:
        """Carry out the plan, and return what it says of itself then.

        Rejected, with nothing changed, when the plan was made from what is not there any more.
        """
        ...

    def drift(self) -> tuple[ResourceChange, ...]:
        """Return what is not as the description says that was carried out last."""
        ...

    def outputs(self) -> dict[str, Output]:
        """Return what it says of itself by name."""
        ...
