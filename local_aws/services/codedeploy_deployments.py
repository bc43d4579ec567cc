"""CodeDeploy's deployments to ECS: begun, looked at, continued, stopped, their hooks answered.

An agent brings them forward, and tells how far one has come by a request, as everybody asks for something.
"""

import time
from dataclasses import replace
from typing import Any

import yaml
from moto.codedeploy.models import DeploymentGroup
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ecs.models import Service, ecs_backends
from moto.elbv2.models import elbv2_backends

from local_aws import reports
from local_aws.pace import minute_seconds
from local_aws.services.codedeploy_configs import check_exists, config_of
from local_aws.services.codedeploy_records import (
    DEPLOYMENTS,
    Deployment,
    moved,
    new_id,
    pair_of,
    take_progress,
)
from local_aws.services.codedeploy_stages import HOOKS, OVER, READY, TERMINATION, Plan, here, steps_of, stop
from local_aws.services.codedeploy_telling import target, target_id, told
from local_aws.services.ecs_task_sets import TaskSet, new_set, sets_of
from local_aws.services.errors import Refusal


def create_deployment(self: CodeDeployResponse) -> ActionResult:
    """Begin a deployment of the task definition that an AppSpec names: one at a time for a group.

    "DeploymentLimitExceededException: The number of allowed deployments was exceeded."
    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeployment.html
    """
    asked, backend = dict(self.params), self.codedeploy_backend
    group = backend.get_deployment_group(asked["applicationName"], asked["deploymentGroupName"])
    for one in DEPLOYMENTS.values():
        if one.group is group and not one.is_over:
            raise Refusal(
                "DeploymentLimitExceededException",
                f"The Deployment Group '{group.deployment_group_name}' already has an active Deployment '{one.id}'",
            )
    asked.setdefault("deploymentConfigName", group.deployment_config_name)
    check_exists(self, asked["deploymentConfigName"])
    appspec, hooks = _app_spec(asked)
    service = _service_of(backend.account_id, self.region, group)
    blue = next((one for one in reversed(sets_of(service.arn)) if one.is_primary), None)
    if blue is None:
        raise Refusal("InvalidECSServiceException", "The ECS service has no primary task set")
    name = new_id()
    balancer = {
        "targetGroupArn": _idle_group(group, backend.account_id, self.region, blue),
        "containerName": appspec["LoadBalancerInfo"]["ContainerName"],
        "containerPort": int(appspec["LoadBalancerInfo"]["ContainerPort"]),
    }
    green = new_set(service, appspec["TaskDefinition"], [balancer], 0, deployed_by=name)
    green.is_primary = False
    alarms: Any = asked.get("overrideAlarmConfiguration") or group.alarm_configuration or {}
    DEPLOYMENTS[name] = Deployment(
        name,
        backend.account_id,
        self.region,
        asked,
        group,
        service.arn,
        blue,
        green,
        _plan(self, asked, group, hooks, service),
        tuple(one["name"] for one in alarms.get("alarms", ())) if alarms.get("enabled") else (),
    )
    return ActionResult({"deploymentId": name})


def _app_spec(asked: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return target and hooks of an AppSpec file.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
    """
    content = ((asked.get("revision") or {}).get("appSpecContent") or {}).get("content")
    if not content:
        raise Refusal("InvalidRevisionException", "Only revisions of type AppSpecContent are known here")
    try:
        given = yaml.safe_load(content)
        [resource] = given["Resources"]
        found = resource["TargetService"]["Properties"]
        hooks = {name: str(function) for one in given.get("Hooks") or [] for name, function in one.items()}
        balancer = found["LoadBalancerInfo"]
        is_whole = (
            found["TaskDefinition"].startswith("arn:") and balancer["ContainerName"] and balancer["ContainerPort"]
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refusal("InvalidRevisionException", f"The AppSpec file is not valid: {error!r}") from error
    if not is_whole or not set(hooks) <= set(HOOKS):
        raise Refusal("InvalidRevisionException", "The AppSpec file is not valid: a part is missing, or unknown")
    return found, hooks


def _service_of(account: str, region: str, group: DeploymentGroup) -> Service:
    [named] = group.ecs_services
    found: Service | None = ecs_backends[account][region].services.get(f"{named['clusterName']}:{named['serviceName']}")
    if found is None or found.status != "ACTIVE" or found.deployment_controller["type"] != "CODE_DEPLOY":
        raise Refusal("InvalidECSServiceException", f"The ECS service {named['serviceName']} cannot be deployed to")
    return found


def _idle_group(group: DeploymentGroup, account: str, region: str, blue: TaskSet) -> str:
    known = elbv2_backends[account][region].target_groups.values()
    names = [one["name"] for one in pair_of(group)["targetGroups"]]
    arns = [next((str(one.arn) for one in known if one.name == name), "") for name in names]
    if not all(arns):
        raise Refusal("InvalidTargetGroupPairException", f"The target groups {', '.join(names)} are not all there")
    return arns[1] if blue.group == arns[0] else arns[0]


def _plan(
    response: CodeDeployResponse, asked: dict[str, Any], group: DeploymentGroup, hooks: dict[str, str], service: Service
) -> Plan:
    options = group.blue_green_deployment_configuration
    ready = options.get("deploymentReadyOption") or {}
    waits = ready.get("actionOnTimeout") == "STOP_DEPLOYMENT"
    ends = options.get("terminateBlueInstancesOnDeploymentSuccess") or {}
    rollback = asked.get("autoRollbackConfiguration") or group.auto_rollback_configuration or {}
    return Plan(
        hooks=hooks,
        steps=steps_of(config_of(response, asked["deploymentConfigName"])),
        blue_tasks=service.desired_count,
        green_tasks=service.desired_count,
        has_test=bool((pair_of(group).get("testTrafficRoute") or {}).get("listenerArns")),
        ready_minutes=float(ready.get("waitTimeInMinutes", 0)) if waits else None,
        termination_minutes=float(ends.get("terminationWaitTimeInMinutes", 0)),
        rolls_back_on=tuple(rollback.get("events", ())) if rollback.get("enabled") else (),
        minute_seconds=minute_seconds(),
    )


def get_deployment(self: CodeDeployResponse) -> ActionResult:
    """Return a deployment: "Gets information about a deployment."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeployment.html
    """
    return ActionResult({"deploymentInfo": told(_one(self.params["deploymentId"]))})


def batch_get_deployments(self: CodeDeployResponse) -> ActionResult:
    """Return those that are there: "Gets information about one or more deployments. The maximum number of deployments
    that can be returned is 25."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeployments.html
    """
    found = [DEPLOYMENTS[one] for one in self.params["deploymentIds"] if one in DEPLOYMENTS]
    return ActionResult({"deploymentsInfo": [told(one) for one in found]})


def list_deployments(self: CodeDeployResponse) -> ActionResult:
    """Return ids, the newest first, of an application's group and of the statuses that are asked for.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeployments.html
    """
    asked = self.params
    found = [
        one.id
        for one in reversed(DEPLOYMENTS.values())
        if asked.get("applicationName") in (None, one.asked["applicationName"])
        and asked.get("deploymentGroupName") in (None, one.asked["deploymentGroupName"])
        and (not asked.get("includeOnlyStatuses") or one.progress.status in asked["includeOnlyStatuses"])
    ]
    return ActionResult({"deployments": found})


def stop_deployment(self: CodeDeployResponse) -> ActionResult:
    """Stop one; with `autoRollbackEnabled` its traffic goes back: "Attempts to stop an ongoing deployment."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_StopDeployment.html
    """
    found = _open(self.params["deploymentId"])
    if found.rollback_of:
        raise Refusal("UnsupportedActionForDeploymentTypeException", "A rollback is not stopped here.")
    message = "The deployment was stopped by a user"
    back = bool(self.params.get("autoRollbackEnabled"))
    moved(found, stop(found.plan, found.progress, time.time(), message, goes_back=back))
    return ActionResult({"status": "Pending", "statusMessage": message})


def continue_deployment(self: CodeDeployResponse) -> EmptyResult:
    """End a wait: "starts the process of rerouting traffic from instances in the original environment to instances in
    the replacement environment without waiting for a specified wait time to elapse."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ContinueDeployment.html
    """
    found, kind = _open(self.params["deploymentId"]), self.params.get("deploymentWaitType") or READY
    if kind not in (READY, TERMINATION):
        raise Refusal("InvalidDeploymentWaitTypeException", f"The wait type {kind} is not valid.")
    if here(found.plan, found.progress).wait != kind:
        raise Refusal("DeploymentIsNotInReadyStateException", f"The deployment {found.id} does not wait for that.")
    moved(found, replace(found.progress, continued=kind))
    return EmptyResult()


def put_lifecycle_event_hook_execution_status(self: CodeDeployResponse) -> ActionResult:
    """Take the answer of a hook: "Sets the result of a Lambda validation function."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_PutLifecycleEventHookExecutionStatus.html
    """
    asked = self.params
    found, status = _one(asked["deploymentId"]), asked.get("status")
    if status not in ("Succeeded", "Failed"):
        raise Refusal("InvalidLifecycleEventHookExecutionStatusException", "Succeeded and Failed are valid.")
    if not found.progress.execution or found.progress.execution != asked.get("lifecycleEventHookExecutionId"):
        raise Refusal("InvalidLifecycleEventHookExecutionIdException", "There is no such execution of a hook.")
    if found.progress.answered or found.progress.status in OVER:
        raise Refusal("LifecycleEventAlreadyCompletedException", "The hook was answered already.")
    moved(found, replace(found.progress, answered=status))
    return ActionResult({"lifecycleEventHookExecutionId": found.progress.execution})


def get_deployment_target(self: CodeDeployResponse) -> ActionResult:
    """Return the service of a deployment: "Returns information about a deployment target."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentTarget.html
    """
    return ActionResult({"deploymentTarget": target(_one(self.params["deploymentId"]))})


def list_deployment_targets(self: CodeDeployResponse) -> ActionResult:
    """Return the only target of a deployment to ECS: "Returns an array of target IDs that are associated a deployment."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeploymentTargets.html
    """
    return ActionResult({"targetIds": [target_id(_one(self.params["deploymentId"]))]})


def batch_get_deployment_targets(self: CodeDeployResponse) -> ActionResult:
    """Return it as well: "Returns an array of one or more targets associated with a deployment."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BatchGetDeploymentTargets.html
    """
    return ActionResult({"deploymentTargets": [target(_one(self.params["deploymentId"]))]})


def _one(name: str) -> Deployment:
    if name not in DEPLOYMENTS:
        raise Refusal("DeploymentDoesNotExistException", f"The deployment {name} could not be found")
    return DEPLOYMENTS[name]


def _open(name: str) -> Deployment:
    found = _one(name)
    if found.progress.status in OVER:
        raise Refusal("DeploymentAlreadyCompletedException", f"The deployment {found.id} is already completed.")
    return found


def add() -> None:
    """Put them in place of moto's, or beside them, and take what the agent tells."""
    for operation in (
        create_deployment,
        get_deployment,
        batch_get_deployments,
        list_deployments,
        stop_deployment,
        continue_deployment,
        put_lifecycle_event_hook_execution_status,
        get_deployment_target,
        list_deployment_targets,
        batch_get_deployment_targets,
    ):
        setattr(CodeDeployResponse, operation.__name__, operation)
    reports.TAKEN["codedeploy"] = take_progress
