"""Phase 6: a person lets the release into the environment, or does not."""

from typing import Literal

from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput
from pydantic import Field

from delivery.errors import Rejected
from delivery.releases.approval import Decision
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.order import Order
from delivery.releases.release import Release
from flows.gate import ask
from tasks.announcements import announce
from tasks.approval import describe_change, keep_decision
from tasks.arrivals import end_earlier
from tasks.infrastructure import plan_infrastructure


class Approval(RunInput):
    """The form in the Prefect UI."""

    decision: Literal["approve", "reject"] = Field(description="Let this release into the environment?")
    approver: str = Field(min_length=2, pattern=r"\S.*\S", description="Who decides (name or e-mail)")
    comment: str = Field("", description="Kept with the decision")
    destroy: str = Field("", description="Only where what holds data would be lost: the environment's name allows that")


async def allow(order: Order, release: Release) -> tuple[Decision, InfrastructurePlan | None]:
    """Return who let the release into the order's environment, and with it which plan for what that stands on."""
    plan = await plan_infrastructure(order, order.environment)
    return await await_approval(order, release, plan), plan


async def await_approval(order: Order, release: Release, plan: InfrastructurePlan | None = None) -> Decision:
    """Return who let the release into the order's environment; Rejected when it may not, or nobody answers.

    Called in the delivery itself, never in a phase of its own: Prefect suspends no subflows.
    """
    policy = order.policy.approval
    change, text = await describe_change(order, release, plan)
    if policy.by == "nobody":
        return await keep_decision(
            order, change, "approve", "policy", "unattended: the environment's policy asks nobody", True
        )
    form = Approval.with_initial_data(description=text)
    # The key names what is asked about: a resumed run whose change is another one by now asks again.
    key = f"approve-{order.environment}-{change.binding}"
    await end_earlier(order)  # so that nobody is asked about what is older as well
    announce(order.environment, "waits", "waits for approval", is_environment=True)
    try:
        answer = await ask(form, key, policy.wait, policy.timeout_seconds)
    except FlowPauseTimeout as timeout:
        raise Rejected(f"nobody answered within {policy.timeout_seconds} s") from timeout
    now, _ = await describe_change(order, release, plan)
    return await keep_decision(
        order, change, answer.decision, answer.approver, answer.comment, False, now.binding, answer.destroy
    )
