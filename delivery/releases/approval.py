"""An approval: who let which release into an environment, or did not."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model


class Decision(Model):
    """The answer at the gate, as it is kept."""

    decision: Literal["approve", "reject"]
    approver: str
    comment: str = ""
    environment: str
    binding: str = Field(description="hash of what was approved")
    at: datetime
    unattended: bool = Field(False, description="nobody was asked, because the environment's policy says so")


def check_approval(decision: Decision, binding: str) -> None:
    """Pass an approval of exactly this change; Rejected for a rejection or an approval of something else."""
    if decision.decision != "approve":
        reason = f": {decision.comment}" if decision.comment else ""
        raise Rejected(f"rejected by {decision.approver}{reason}")
    if decision.binding != binding:
        raise Rejected(f"{decision.approver} approved {decision.binding}, but the change is {binding} by now")
