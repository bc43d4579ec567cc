"""A plan for an environment's infrastructure: what it would change, what is approved with it, what is lost by it."""

from collections import Counter
from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.model import Model

Action = Literal["create", "update", "replace", "destroy", "forget"]


class ResourceChange(Model):
    """One resource that a plan changes, or that was changed beside it."""

    address: str
    type: str
    action: Action
    attributes: tuple[str, ...] = Field((), description="names of what differs, no values: secrets are among them")

    @property
    def loses(self) -> bool:
        """Whether what it holds is gone afterwards."""
        return self.action in ("destroy", "replace")

    def __str__(self) -> str:
        """One line for people."""
        what = f" ({', '.join(self.attributes)})" if self.attributes else ""
        return f"{self.action} {self.address}{what}"


class StateVersion(Model):
    """Which state a plan was made from; without lineage there was none."""

    lineage: str = ""
    serial: int = 0


class InfrastructurePlan(Model):
    """What is known of a plan without opening it; `sha256` is that of the plan itself, and names it."""

    sha256: str
    app: str
    environment: str
    stack: str = Field(description="folder of the stack")
    workspace: str
    run: str = Field(description="who made it")
    made_at: datetime
    expires_at: datetime
    state: StateVersion = StateVersion()
    changes: tuple[ResourceChange, ...] = ()
    drift: tuple[ResourceChange, ...] = Field((), description="what was changed beside Terraform")
    outputs: tuple[str, ...] = Field((), description="outputs that change")
    protected: tuple[str, ...] = Field((), description="addresses of what holds data and is lost")
    changes_anything: bool
    destroys_all: bool = False

    @property
    def whose(self) -> tuple[str, str, str]:
        """Which infrastructure it is for: application, environment, workspace."""
        return self.app, self.environment, self.workspace

    @property
    def short(self) -> str:
        """As people name it."""
        return self.sha256[:12]

    def lines(self) -> list[str]:
        """Return a line for each change, which says what holds data and is lost."""
        return [f"  {one}{'  (holds data)' if one.address in self.protected else ''}" for one in self.changes]

    def summary(self) -> str:
        """Return `1 to create, 2 to replace`, or that nothing changes."""
        counts = Counter(change.action for change in self.changes)
        actions: tuple[Action, ...] = ("create", "update", "replace", "destroy", "forget")
        words = [f"{counts[action]} to {action}" for action in actions if counts[action]]
        if not words and self.changes_anything:
            words = [f"outputs: {', '.join(self.outputs)}" if self.outputs else "only the state"]
        return ", ".join(words) or "nothing changes"


class Output(Model):
    """What a stack says of itself to whoever uses it."""

    name: str
    sensitive: bool
    value: object = Field(exclude=True, repr=False, description="handed on, and written down nowhere")


class Drift(Model):
    """What a look at an environment's infrastructure showed: what somebody else changed, or why that is unknown."""

    at: datetime
    app: str
    environment: str
    changes: tuple[ResourceChange, ...] = ()
    problem: str = Field("", description="why it could not be told: not the same as nothing")

    @property
    def is_well(self) -> bool:
        """Whether everything is as it was left."""
        return not self.changes and not self.problem

    def describe(self) -> str:
        """One line for people, with a line for each change."""
        where = f"infrastructure of {self.environment} of {self.app}"
        if self.problem:
            return f"{where} could not be compared: {self.problem}"
        if not self.changes:
            return f"{where} is as it was left"
        lines = [f"{where} was changed beside Headway:", *(f"  {change}" for change in self.changes)]
        return "\n".join([*lines, "  next: headway run changes it back, or put the change into the stack"])
