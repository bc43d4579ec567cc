"""Shares of traffic in the rules of listeners: read, and written by a request as anybody would."""

from collections.abc import Iterator, Mapping

from local_aws.own_client import own_client
from local_aws.services.elbv2 import groups_of, load_balancers

Shares = Mapping[str, Mapping[str, int]]  # rule → target group → weight


def rules_now(listeners: frozenset[str] | None = None) -> dict[str, dict[str, int]]:
    """Return rule → target group → weight, of all listeners or of some."""
    return dict(_rules(listeners))


def are_shared(wanted: Shares) -> bool:
    """Whether every rule has the shares that are asked for."""
    now = rules_now()
    return all(now.get(rule) == weights for rule, weights in wanted.items())


def share(wanted: Shares, account: str, region: str) -> None:
    """Write the shares that are asked for into the rules that are there."""
    elb, now = own_client("elbv2", account, region), rules_now()
    for rule, weights in wanted.items():
        if now.get(rule) == weights or rule not in now:
            continue
        shares = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
        elb.modify_rule(RuleArn=rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}])


def _rules(listeners: frozenset[str] | None) -> Iterator[tuple[str, dict[str, int]]]:
    for balancer in load_balancers():
        for listener in balancer.listeners.values():
            if listeners is not None and listener.arn not in listeners:
                continue
            for rule in listener.rules.values():
                if rule.actions:
                    yield rule.arn, groups_of(rule.actions[-1].data)
