"""An approval: who let which release into an environment, or did not."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model
from delivery.releases.infrastructure import InfrastructurePlan

_ASK = "set environments.{}.approval.by: person, or change what the stack describes"


class Decision(Model):
    """The answer at the gate, as it is kept."""

    decision: Literal["approve", "reject"]
    approver: str
    comment: str = ""
    environment: str
    binding: str = Field(description="hash of what was approved")
    at: datetime
    unattended: bool = Field(False, description="nobody was asked, because the environment's policy says so")
    destroy: str = Field("", description="the word that lets a plan destroy what holds data")


def check_approval(decision: Decision, binding: str) -> None:
    """Pass an approval of exactly this change; Rejected for a rejection or an approval of something else."""
    if decision.decision != "approve":
        reason = f": {decision.comment}" if decision.comment else ""
        raise Rejected(f"rejected by {decision.approver}{reason}")
    if decision.binding != binding:
        raise Rejected(f"{decision.approver} approved {decision.binding}, but the change is {binding} by now")


def check_losses(plan: InfrastructurePlan, decision: Decision | None) -> None:
    """Pass a plan that loses nothing that holds data, or whose loss a person allowed by name; Rejected otherwise."""
    if not plan.protected:
        return
    lost = f"plan {plan.short} destroys or replaces what holds data: {', '.join(plan.protected)}"
    if decision is None or decision.unattended:
        raise Rejected(f"{lost}; nobody is asked about {plan.environment}\n  next: {_ASK.format(plan.environment)}")
    if decision.destroy != plan.environment:
        raise Rejected(
            f"{lost}; {decision.approver} did not allow that by the word {plan.environment}\n"
            f"  next: headway run, then headway approve --destroy {plan.environment}"
        )
