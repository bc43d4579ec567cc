"""ECS's services: what was given of one is kept and told again; nobody runs its tasks."""

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse

from local_aws.services.ecs_running import cluster_of
from local_aws.services.errors import Refusal

# Members of a service that moto leaves out, with the value of a service that was created without.
KEPT: dict[str, Any] = {
    "availabilityZoneRebalancing": None,
    "healthCheckGracePeriodSeconds": 0,
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "placementConstraints": [],
    "placementStrategy": [],
    "capacityProviderStrategy": [],
}
# What of a service that CodeDeploy deploys is changed by a deployment alone.
REFUSED = {
    "taskDefinition": "task definition",
    "loadBalancers": "load balancers",
    "networkConfiguration": "network configuration",
    "platformVersion": "platform version",
    "forceNewDeployment": "force new deployment",
}
_create, _update = EC2ContainerServiceResponse.create_service, EC2ContainerServiceResponse.update_service
_list = EC2ContainerServiceResponse.list_services


def create_service(self: EC2ContainerServiceResponse) -> ActionResult:
    """Keep a service with what was given of it: "For create service requests, when no value is specified for
    AvailabilityZoneRebalancing, Amazon ECS defaults the value to ENABLED."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
    """
    asked = self.params
    before = _service_of(self.ecs_backend, asked.get("cluster"), asked["serviceName"])
    if before is not None and before.status == "ACTIVE":
        raise InvalidParameterException("Creation of service was not idempotent.")
    told = _create(self)
    service = _service_of(self.ecs_backend, asked.get("cluster"), asked["serviceName"])
    assert service is not None
    controlled_by = service.deployment_controller["type"]
    for name, default in KEPT.items():
        _keep(service, name, asked.get(name, default))
    if asked.get("availabilityZoneRebalancing") is None:
        _keep(service, "availabilityZoneRebalancing", "ENABLED" if controlled_by == "ECS" else "DISABLED")
    configuration = _default_configuration(service) | asked.get("deploymentConfiguration", {})
    _keep(service, "deploymentConfiguration", configuration)
    _keep(service, "createdAt", datetime.now(UTC))
    return told


def update_service(self: EC2ContainerServiceResponse) -> ActionResult:
    """Change what is given and keep the rest: "For services using the blue/green (CODE_DEPLOY) deployment controller,
    only the desired count, deployment configuration, health check grace period, task placement constraints and
    strategies, enable ECS managed tags option, and propagate tags can be updated using this API."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    """
    asked = self.params
    service = _service_of(self.ecs_backend, asked.get("cluster"), asked["service"])
    if service is None:
        return _update(self)  # which refuses
    if service.status != "ACTIVE":
        raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
    controller = asked.get("deploymentController") or service.deployment_controller
    if controller["type"] == "CODE_DEPLOY":
        _refuse_what_code_deploy_does(asked)
    ours = {name: asked.pop(name) for name in (*KEPT, "deploymentConfiguration") if name in asked}
    told = _update(self)
    if name := asked.get("taskDefinition"):
        service.task_definition = self.ecs_backend.describe_task_definition(name).arn
    if given := ours.pop("deploymentConfiguration", None):
        ours["deploymentConfiguration"] = {**vars(service)["deploymentConfiguration"], **given}
    for name, value in ours.items():
        _keep(service, name, value)
    return told


def list_services(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return those that were not deleted: "When you delete a service, if there are still running tasks […] the service
    is no longer visible in the console or in the ListServices API operation."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    """
    backend = self.ecs_backend
    gone = {one.arn for one in backend.services.values() if one.status != "ACTIVE"}
    found: dict[str, Any] = _list(self).result  # type: ignore[assignment]
    return ActionResult({"serviceArns": [arn for arn in found["serviceArns"] if arn not in gone]})


def _refuse_what_code_deploy_does(asked: dict[str, Any]) -> None:
    for name, words in REFUSED.items():
        if asked.get(name):
            raise InvalidParameterException(
                f"Unable to update {words} on services with a CODE_DEPLOY deployment controller. "
                "Use AWS CodeDeploy to trigger a new deployment."
            )


def _default_configuration(service: Service) -> dict[str, Any]:
    """Return what a service has of its own: "The default maximumPercent value for a service using the REPLICA service
    scheduler is 200%"; "The default value for a replica service for minimumHealthyPercent is 100%."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """
    told: dict[str, Any] = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    if service.scheduling_strategy == "DAEMON":
        told = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    if service.deployment_controller["type"] == "ECS":
        told |= {"strategy": "ROLLING", "deploymentCircuitBreaker": {"enable": False, "rollback": False}}
    return told


def _keep(service: Service, name: str, value: Any) -> None:
    vars(service)[name] = value  # moto answers with whatever has a name of the model


def _service_of(backend: EC2ContainerServiceBackend, cluster: str | None, name: str) -> Service | None:
    key = f"{cluster_of(backend, cluster).name}:{name.rpartition('/')[2]}"
    found: Service | None = backend.services.get(key)
    return found


def add() -> None:
    """Put ours in place of moto's."""
    for operation in (create_service, update_service, list_services):
        setattr(EC2ContainerServiceResponse, operation.__name__, operation)
