"""ECS's services: what was given of one is kept and told again, and an agent runs its tasks."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse

from local_aws.services import codedeploy_records as by_codedeploy
from local_aws.services.codedeploy_stages import stop
from local_aws.services.ecs_checks import check_configuration
from local_aws.services.ecs_deployments import begin, counts, scale
from local_aws.services.ecs_running import cluster_of
from local_aws.services.ecs_task_sets import (
    DEPLOYMENTS,
    TaskSet,
    new_set,
    open_deployment,
    sets_of,
    wanted_of,
)
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
_list, _describe = EC2ContainerServiceResponse.list_services, EC2ContainerServiceResponse.describe_services
_delete = EC2ContainerServiceResponse.delete_service


def create_service(self: EC2ContainerServiceResponse) -> ActionResult:
    """Keep a service with what was given of it: "For create service requests, when no value is specified for
    AvailabilityZoneRebalancing, Amazon ECS defaults the value to ENABLED."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
    """
    asked = self.params
    before = _service_of(self.ecs_backend, asked.get("cluster"), asked["serviceName"])
    if before is not None and before.status == "ACTIVE":
        raise InvalidParameterException("Creation of service was not idempotent.")
    if (asked.get("deploymentController") or {}).get("type", "ECS") == "ECS":
        check_configuration(asked.get("deploymentConfiguration") or {}, asked.get("loadBalancers") or [])
    if network := (asked.get("networkConfiguration") or {}).get("awsvpcConfiguration"):
        network.setdefault("securityGroups", [])  # "the default security group for the VPC is used"
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
    if controlled_by in ("ECS", "CODE_DEPLOY") and service.task_definition:
        new_set(service, service.task_definition, [dict(one) for one in service.load_balancers], service.desired_count)
    _tell_counts(service)
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
    else:
        new = {**vars(service)["deploymentConfiguration"], **(asked.get("deploymentConfiguration") or {})}
        check_configuration(new, asked.get("loadBalancers") or service.load_balancers)
    before = service.task_definition
    restarts = bool(asked.get("forceNewDeployment"))
    ours = {name: asked.pop(name) for name in (*KEPT, "deploymentConfiguration") if name in asked}
    told = _update(self)
    if name := asked.get("taskDefinition"):
        service.task_definition = self.ecs_backend.describe_task_definition(name).arn
    if given := ours.pop("deploymentConfiguration", None):
        ours["deploymentConfiguration"] = {**vars(service)["deploymentConfiguration"], **given}
    for name, value in ours.items():
        _keep(service, name, value)
    if service.task_definition and (service.task_definition != before or restarts):
        begin(service, service.task_definition, service.desired_count)
    elif "desiredCount" in asked and controller["type"] == "CODE_DEPLOY":
        by_codedeploy.scale(service, next(one for one in reversed(sets_of(service.arn)) if one.is_primary))
    elif "desiredCount" in asked:
        scale(service)
    _tell_counts(service)
    return told


def describe_services(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return services with what runs of them now."""
    for name in self._get_param("services", []):
        service = _service_of(self.ecs_backend, self._get_param("cluster"), name)
        if service is not None:
            _tell_counts(service)
    return _describe(self)


def delete_service(self: EC2ContainerServiceResponse) -> ActionResult:
    """Let a service end: its tasks are stopped, whatever deployment they are of.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
    """
    told = _delete(self)
    service = _service_of(self.ecs_backend, self._get_param("cluster"), self._get_param("service"))
    assert service is not None
    for one in DEPLOYMENTS.values():
        if one.service == service.arn and not one.is_over:
            one.progress = replace(one.progress, status="STOPPED", reason="Service was deleted")
    if controlled := by_codedeploy.open_deployment(service.arn):
        why = "The ECS service was deleted"
        ended = stop(controlled.plan, controlled.progress, time.time(), why, goes_back=False)
        controlled.progress = replace(ended, rolls_back=False)
    for task_set in sets_of(service.arn):
        task_set.count = 0
    _tell_counts(service)
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


def _tell_counts(service: Service) -> None:
    """Let a service say how many tasks it has, by which deployments, and what is deployed."""
    sets, found = sets_of(service.arn), open_deployment(service.arn)
    running = sum(len(one.running()) for one in sets)
    service.running_count = running
    service.pending_count = sum(not task.shall_stop for one in sets for task in one.tasks()) - running
    if service.deployment_controller["type"] == "ECS":
        service.deployments = [_deployment(service, one) for one in sorted(sets, key=lambda one: not one.is_primary)]
        _keep(service, "currentServiceDeployment", found.arn if found else None)
        _keep(service, "currentServiceRevisions", [counts(one, wanted_of(one)) for one in sets])
    elif service.deployment_controller["type"] == "CODE_DEPLOY":
        _keep(service, "task_sets", [_task_set(service, one) for one in sets])


def _task_set(service: Service, one: TaskSet) -> dict[str, Any]:
    """Return what DescribeServices says of a set of tasks that CodeDeploy made, or found: "externalId: If an external
    deployment created a task set for the CodeDeploy deployment, the external ID is the CodeDeploy deployment ID."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskSet.html
    """
    told, running = counts(one, one.count), len(one.running())
    return {
        "id": one.id,
        "taskSetArn": one.revision.replace(":service-revision/", ":task-set/"),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "startedBy": "CODE_DEPLOY" if one.deployed_by else None,
        "externalId": one.deployed_by or None,
        "status": "PRIMARY" if one.is_primary else "ACTIVE",
        "taskDefinition": one.definition,
        "computedDesiredCount": told["requestedTaskCount"],
        "pendingCount": told["pendingTaskCount"],
        "runningCount": running,
        "createdAt": one.created,
        "updatedAt": one.created,
        "launchType": service.launch_type,
        "platformVersion": service.platform_version,
        "networkConfiguration": service.network_configuration or None,
        "loadBalancers": one.balancers,
        "scale": {"value": 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if running == one.count else "STABILIZING",
    }


def _deployment(service: Service, one: TaskSet) -> dict[str, Any]:
    """Return what DescribeServices says of a set of tasks: PRIMARY is the one that is, or becomes, the service's.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    """
    found = next((each for each in reversed(DEPLOYMENTS.values()) if each.target is one), None)
    told, running = counts(one, wanted_of(one)), len(one.running())
    state = "COMPLETED" if running >= wanted_of(one) else "IN_PROGRESS"
    reason = f"ECS deployment {one.id} {'completed' if state == 'COMPLETED' else 'in progress'}."
    if found and not found.is_over:
        state, reason = "IN_PROGRESS", f"ECS deployment {one.id} in progress."
    if found and found.progress.back_because:
        state, reason = "FAILED", found.progress.back_because
    return {
        "id": one.id,
        "status": "PRIMARY" if one.is_primary else "ACTIVE",
        "taskDefinition": one.definition,
        "desiredCount": told["requestedTaskCount"],
        "pendingCount": told["pendingTaskCount"],
        "runningCount": running,
        "failedTasks": len(one.failed()),
        "createdAt": one.created,
        "updatedAt": one.created,
        "launchType": service.launch_type,
        "platformVersion": service.platform_version,
        "platformFamily": "Linux",
        "networkConfiguration": service.network_configuration or None,
        "rolloutState": state,
        "rolloutStateReason": reason,
    }


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
    for operation in (create_service, update_service, describe_services, delete_service, list_services):
        setattr(EC2ContainerServiceResponse, operation.__name__, operation)
