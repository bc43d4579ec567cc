"""What an environment stands on: planned, and changed by exactly the plan that was allowed."""

from dataclasses import dataclass, field
from typing import Protocol

from delivery.releases.infrastructure import InfrastructurePlan, Output, ResourceChange


@dataclass(frozen=True)
class PlannedInfrastructure:
    """A plan with what is needed to carry it out, in which there are secrets."""

    plan: InfrastructurePlan
    content: bytes = field(repr=False)


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

    def apply(self, planned: PlannedInfrastructure) -> None:
        """Carry out the plan; Rejected, with nothing changed, when it was made from what is not there any more."""
        ...

    def drift(self) -> tuple[ResourceChange, ...]:
        """Return what is not as the description says that was carried out last."""
        ...

    def outputs(self) -> dict[str, Output]:
        """Return what it says of itself by name."""
        ...
