"""A service of ECS as ECS tells of it."""

from typing import Any

from delivery.aws.failures import aws_errors
from delivery.aws.service_ways import ServiceWay
from delivery.errors import Misconfigured


def described_service(ecs: Any, cluster: str, way: ServiceWay) -> dict[str, Any]:
    """Return what DescribeServices tells of a service; Misconfigured when it is not in the cluster, or is deleted."""
    with aws_errors("ecs"):
        found = ecs.describe_services(cluster=cluster, services=[way.service])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        where, problem = f"service {way.service}", f"is not in cluster {cluster}"
        raise Misconfigured(where, problem, next_step="headway run applies the infrastructure")
    return dict(found[0])
