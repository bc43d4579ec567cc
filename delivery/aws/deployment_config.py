"""A shift plan as a deployment configuration of CodeDeploy: one canary, or equal steps, each held for whole minutes.

https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
"""

from typing import Any

from delivery.spec.shift import ShiftPlan

AT_ONCE = "CodeDeployDefault.ECSAllAtOnce"


def config_of(plan: ShiftPlan) -> tuple[str, dict[str, Any] | None]:
    """Return the name of a plan's configuration, and its routing where it is not one of CodeDeploy's own."""
    if len(plan.steps) == 1:
        return AT_ONCE, None
    percent, minutes = plan.steps[0].percent, round(plan.steps[0].hold_seconds / 60)
    if len(plan.steps) == 2:
        timing = {"canaryPercentage": percent, "canaryInterval": minutes}
        return f"headway-canary-{percent}-{minutes}m", {"type": "TimeBasedCanary", "timeBasedCanary": timing}
    timing = {"linearPercentage": percent, "linearInterval": minutes}
    return f"headway-linear-{percent}-{minutes}m", {"type": "TimeBasedLinear", "timeBasedLinear": timing}
