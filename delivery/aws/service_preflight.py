"""Whether ECS can move a service's traffic: one load balancer, and both target groups on the rule for users.

Otherwise a deployment would go back by itself, with: "Both targetGroup and alternateTargetGroup must be associated with
the productionListenerRule or testListenerRule."
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/migrate-code-deploy-to-ecs-blue-green.html
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.access import AwsAccess
from delivery.aws.alarm_preflight import check_alarms
from delivery.aws.codedeploy_preflight import check_group, check_hook
from delivery.aws.described_service import described_service
from delivery.aws.failures import aws_errors, code_of
from delivery.aws.service_ways import ServiceWay, Ways
from delivery.errors import Misconfigured
from delivery.ports.preflight import Look


def service_looks(access: AwsAccess, cluster: str, ways: Ways, deployer: str, kept_seconds: float) -> tuple[Look, ...]:
    """Return what is asked of the services of an environment before a release.

    What it replaces is to stand ready for `kept_seconds`.
    """
    services = ways.services.values()
    looks = [Look(f"service {one.service}", partial(check_way, access, cluster, one, deployer)) for one in services]
    looks.append(Look("alarms", partial(check_alarms, access, ways.alarms, deployer)))
    if deployer == "ecs":
        return (Look("traffic role", partial(_role, ways)), *looks)
    groups = [
        Look(f"deployment group {one.deployment_group}", partial(check_group, access, ways, one, kept_seconds))
        for one in services
        if one.is_reached
    ]
    return (*looks, Look("hook of CodeDeploy", partial(check_hook, access, ways)), *groups)


def check_way(access: AwsAccess, cluster: str, way: ServiceWay, deployer: str) -> str:
    """Return how a service is; Misconfigured when a release into it could not move its traffic."""
    told, where = described_service(access.client("ecs"), cluster, way), f"service {way.service}"
    if (kind := told.get("deploymentController", {}).get("type", "ECS")) == "EXTERNAL":
        raise Misconfigured(where, "is deployed by its controller EXTERNAL", "ECS, or CODE_DEPLOY")
    if deployer == "codedeploy" and way.is_reached and kind != "CODE_DEPLOY":
        raise Misconfigured(where, f"is deployed by its controller {kind}", "CODE_DEPLOY", "say deployer: ecs")
    balancers = told.get("loadBalancers", [])
    if len(balancers) > 1:
        raise Misconfigured(where, f"has {len(balancers)} load balancers", "one: ECS moves the traffic of one")
    if way.is_reached:
        groups = _groups_of(access, way)
        if missing := [one for one in way.groups if one not in groups]:
            raise Misconfigured(
                f"{where}: rule {way.production_rule}",
                f"does not forward to {', '.join(one.rpartition(':')[2] for one in missing)}",
                "both target groups of the service, one of them with weight 0",
            )
    return f"ACTIVE, {told.get('runningCount', 0)} of {told.get('desiredCount', 0)} tasks, controller {kind}"


def weights_of(rule: Mapping[str, Any]) -> dict[str, int]:
    """Return target group → weight of a rule that forwards."""
    listed = [one for action in rule["Actions"] for one in (action.get("ForwardConfig") or {}).get("TargetGroups", ())]
    return {str(one["TargetGroupArn"]): int(one.get("Weight", 1)) for one in listed}


def _groups_of(access: AwsAccess, way: ServiceWay) -> dict[str, int]:
    with aws_errors("elbv2"):
        try:
            [rule] = access.client("elbv2").describe_rules(RuleArns=[way.production_rule])["Rules"]
        except ClientError as error:
            if code_of(error) not in ("RuleNotFound", "ValidationError"):
                raise
            raise Misconfigured(f"service {way.service}: rule {way.production_rule}", "is not there") from error
    return weights_of(rule)


def _role(ways: Ways) -> str:
    if not ways.traffic_role:
        where = "output service of the infrastructure: traffic_role"
        raise Misconfigured(where, "is not told", "the ARN of the role that ECS changes listener rules as")
    return ways.traffic_role
