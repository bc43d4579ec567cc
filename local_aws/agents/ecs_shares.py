"""Shares of traffic, as a deployment of ECS asks for them in the rules of listeners that it names."""

from local_aws.agents.rule_shares import rules_now
from local_aws.services.ecs_task_sets import Deployment

RULES = {"productionListenerRule": "percent", "testListenerRule": "test_percent"}
NETWORKING = (
    "Service deployment rolled back because of invalid networking configuration. Both targetGroup and "
    "alternateTargetGroup must be associated with the productionListenerRule or testListenerRule."
)


def wanted_shares(one: Deployment) -> dict[str, dict[str, int]]:
    """Return rule → target group → weight; nothing where no traffic is moved."""
    if not one.target.group or one.plan.configuration.get("strategy", "ROLLING") == "ROLLING":
        return {}
    balancer, wanted = one.target.balancers[0], one.wanted
    advanced, found = balancer["advancedConfiguration"], {}
    other = next(name for name in one.groups if name != one.target.group)
    for key, share in RULES.items():
        if rule := advanced.get(key):
            percent = getattr(wanted, share)
            found[str(rule)] = {one.target.group: round(percent), other: 100 - round(percent)}
    return found


def networking_problem(one: Deployment) -> str:
    """Return ECS's reason when its target groups are not where it could shift traffic between them."""
    shares = wanted_shares(one)
    if not shares:
        return ""
    now, pair = rules_now(), set(one.groups)
    advanced = one.target.balancers[0]["advancedConfiguration"]
    production = now.get(str(advanced.get("productionListenerRule")))
    if production is None or not pair <= set(production):
        return NETWORKING
    return ""
