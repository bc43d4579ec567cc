"""Elastic Load Balancing: addresses that answer, and targets that are as healthy as they are found to be.

A target is known by its id and its port. What it is stands in `HEALTH`, which the agent of load balancers keeps; after
a restart everything is looked at anew.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import DockerException
from moto.elbv2.exceptions import InvalidTargetError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeLoadBalancer, FakeTargetGroup, elbv2_backends
from moto.elbv2.responses import ELBV2Response

from delivery.errors import HeadwayError
from local_aws.installation import current
from local_aws.network import balancer_address
from local_aws.pace import seconds_of

LEAST_DRAIN_SECONDS = 3.0
Key = tuple[str, str, int]  # target group, id, port
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
REASONS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
    "gone": ("Target.NotRegistered", "Target is not registered to the target group"),
}


@dataclass
class TargetState:
    """How a target was found: `state` as AWS tells it, answers in a row, and until when it drains."""

    state: str = "initial"
    why: str = ""
    passed: int = 0
    failed: int = 0
    checked_at: float = 0.0
    drained_at: float = 0.0


HEALTH: dict[Key, TargetState] = {}
_create = ELBV2Response.create_load_balancer


def create_load_balancer(self: ELBV2Response) -> Any:
    """Make a load balancer that is reached at an address of its own, where AWS has a name.

    "The public DNS name of the load balancer."
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancer.html
    """
    answer: Any = _create(self)
    [made] = answer.result["LoadBalancers"]
    taken, home = {one.dns_name for one in load_balancers()}, current().home
    if (home.root / "identity").exists():  # else there is nothing on Docker, and it is a record alone
        with suppress(DockerException, HeadwayError):
            made.dns_name = balancer_address(home, made.arn, taken)
    return answer


def is_address(name: str) -> bool:
    """Whether a load balancer is reached somewhere."""
    return re.fullmatch(r"\d+(\.\d+){3}", name) is not None


def activate(self: FakeLoadBalancer) -> None:
    """Let one that is reached nowhere be active at once; the others are when they answer, which their agent says.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
    """
    if not is_address(self.dns_name):
        self.state = "active"


def register(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    """Keep targets by id and port: "If the target is already registered, there is no error" for either.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
    """
    for target in targets:
        port = int(target.get("Port") or self.port)
        self.targets[f"{target['Id']}:{port}"] = {"Id": target["Id"], "Port": port}
        state = HEALTH.get((self.arn, target["Id"], port))
        if state is None or state.state == "draining":
            HEALTH[self.arn, target["Id"], port] = TargetState()


def deregister(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    """Let targets drain, and forget them then: "the load balancer stops routing requests to targets that are
    deregistering", and waits for those in flight.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
    """
    for target in targets:
        found = [
            key
            for key, one in self.targets.items()
            if one["Id"] == target["Id"] and target.get("Port") in (None, one["Port"])
        ]
        if not found:
            raise InvalidTargetError()
        delay = drain_seconds(self)
        for key in found:
            one = self.targets.pop(key)
            draining = TargetState("draining", drained_at=time.monotonic() + delay)
            HEALTH[self.arn, one["Id"], one["Port"]] = draining


def health_for(self: FakeTargetGroup, target: dict[str, Any], _: Any) -> FakeHealthStatus:
    """Return how a target was found last, with AWS's reason."""
    port = int(target.get("Port") or self.port)
    known = HEALTH.get((self.arn, target["Id"], port))
    state = known.state if known else "gone"
    if known and state not in ("draining",) and not is_used(self.arn):
        state = "unused"
    reason, description = REASONS.get(state, (None, None))
    told = "unused" if state == "gone" else state
    why = known.why if known and known.why and state == "unhealthy" else description
    return FakeHealthStatus(target["Id"], str(port), self.health_check_port, told, reason, why)


def describe_target_health(self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
    """Return the health of the targets that are asked for, else of all that are registered, or drain."""
    group = self.describe_target_groups(None, [target_group_arn], None)[0]
    if not targets:
        draining = [
            {"Id": one, "Port": port}
            for (arn, one, port), state in HEALTH.items()
            if arn == target_group_arn and state.state == "draining"
        ]
        targets = [*group.targets.values(), *draining]
    return [group.health_for(one, self.ec2_backend) for one in targets]


def drain_seconds(group: FakeTargetGroup) -> float:
    """Return how long requests in flight are waited for when a target goes.

    Requests take as long as they take, however fast time goes here: a group that waits at all waits for some seconds.
    """
    asked = float(str(group.attributes["deregistration_delay.timeout_seconds"]))
    return max(seconds_of(asked), min(asked, LEAST_DRAIN_SECONDS))


def load_balancers() -> Iterator[FakeLoadBalancer]:
    """Yield the load balancers of all accounts and regions."""
    for account in list(elbv2_backends.values()):
        for backend in list(account.values()):
            yield from list(backend.load_balancers.values())


def target_groups() -> Iterator[FakeTargetGroup]:
    """Yield the target groups of all accounts and regions."""
    for account in list(elbv2_backends.values()):
        for backend in list(account.values()):
            yield from list(backend.target_groups.values())


def is_used(group: str) -> bool:
    """Whether a rule of any listener names a target group, whatever its weight."""
    return any(
        group in groups_of(action.data)
        for balancer in load_balancers()
        for listener in balancer.listeners.values()
        for rule in listener.rules.values()
        for action in rule.actions
    )


def groups_of(action: dict[str, Any]) -> dict[str, int]:
    """Return target group → weight of an action that forwards; nothing of another."""
    if action.get("Type") != "forward":
        return {}
    listed = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    found = {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in listed}
    return found or {action["TargetGroupArn"]: 1}


def add() -> None:
    """Put ours in place of moto's."""
    ELBV2Response.create_load_balancer = create_load_balancer  # type: ignore[method-assign]
    FakeLoadBalancer.activate = activate  # type: ignore[method-assign]
    FakeTargetGroup.register = register  # type: ignore[method-assign]
    FakeTargetGroup.deregister = deregister  # type: ignore[method-assign]
    FakeTargetGroup.health_for = health_for  # type: ignore[assignment,method-assign]
    ELBv2Backend.describe_target_health = describe_target_health  # type: ignore[method-assign]
