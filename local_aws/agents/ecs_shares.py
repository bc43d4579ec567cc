"""Shares of traffic, as a deployment of ECS asks for them: written into the rules of listeners that it names."""

from collections.abc import Iterator

from local_aws.own_client import own_client
from local_aws.services.ecs_task_sets import Deployment
from local_aws.services.elbv2 import groups_of, load_balancers

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


def are_shared(one: Deployment) -> bool:
    """Whether every rule has the shares that are asked for."""
    now = dict(_rules())
    return all(now.get(rule) == weights for rule, weights in wanted_shares(one).items())


def share(one: Deployment) -> None:
    """Write the shares that are asked for."""
    region, account = one.service.split(":")[3:5]
    elb, now = own_client("elbv2", account, region), dict(_rules())
    for rule, weights in wanted_shares(one).items():
        if now.get(rule) == weights or rule not in now:
            continue
        shares = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
        elb.modify_rule(RuleArn=rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}])


def networking_problem(one: Deployment) -> str:
    """Return ECS's reason when its target groups are not where it could shift traffic between them."""
    shares = wanted_shares(one)
    if not shares:
        return ""
    now, pair = dict(_rules()), set(one.groups)
    advanced = one.target.balancers[0]["advancedConfiguration"]
    production = now.get(str(advanced.get("productionListenerRule")))
    if production is None or not pair <= set(production):
        return NETWORKING
    return ""


def _rules() -> Iterator[tuple[str, dict[str, int]]]:
    for balancer in load_balancers():
        for listener in balancer.listeners.values():
            for rule in listener.rules.values():
                if rule.actions:
                    yield rule.arn, groups_of(rule.actions[-1].data)
