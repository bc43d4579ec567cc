"""CodeDeploy's deployments to ECS: begun, looked at, continued, stopped, their hooks answered.

An agent brings them forward, and tells how far one has come by a request, as everybody asks for something.
"""

import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import yaml
from moto.codedeploy.models import DeploymentGroup
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ecs.models import Service, ecs_backends
from moto.moto_api._internal import mock_random

from local_aws import reports
from local_aws.pace import minute_seconds
from local_aws.services.codedeploy_configs import check_exists, config_of
from local_aws.services.codedeploy_stages import (
    HOOKS,
    OVER,
    READY,
    TERMINATION,
    Plan,
    Progress,
    Wanted,
    here,
    steps_of,
    stop,
    wanted,
)
from local_aws.services.ecs_task_sets import SETS, TaskSet, new_set, sets_of
from local_aws.services.errors import Refusal

ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass
class Deployment:
    """One deployment: what was asked, from which set of tasks to which, and how far it is."""

    id: str
    account: str
    region: str
    asked: dict[str, Any]
    group: DeploymentGroup
    service: str
    blue: TaskSet
    green: TaskSet
    plan: Plan
    alarms: tuple[str, ...] = ()
    creator: str = "user"
    rollback_of: str = ""
    rollback: str = ""
    progress: Progress = field(default_factory=Progress)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is to be done any more."""
        over = self.progress.status in OVER
        return over and (not self.progress.rolls_back or self.progress.is_back)

    @property
    def wanted(self) -> Wanted:
        """What it asks for now."""
        return wanted(self.plan, self.progress)


DEPLOYMENTS: dict[str, Deployment] = {}  # by id, oldest first


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
    spec = _app_spec(asked)
    service = _service_of(backend.account_id, self.region, group)
    blue = next((one for one in reversed(sets_of(service.arn)) if one.is_primary), None)
    if blue is None:
        raise Refusal("InvalidECSServiceException", "The ECS service has no primary task set")
    number = "".join(mock_random.choice(ID_LETTERS) for _ in range(9))
    plan = _plan(self, asked, group, spec, service)
    target = spec["target"]
    balancer = {
        "targetGroupArn": _idle_group(group, backend.account_id, self.region, blue),
        "containerName": target["LoadBalancerInfo"]["ContainerName"],
        "containerPort": int(target["LoadBalancerInfo"]["ContainerPort"]),
    }
    green = new_set(service, target["TaskDefinition"], [balancer], service.desired_count, deployed_by=f"d-{number}")
    green.is_primary = False
    alarms = (
        asked.get("overrideAlarmConfiguration")
        or (vars(group.alarm_configuration) if hasattr(group.alarm_configuration, "__dict__") else None)
        or group.alarm_configuration
        or {}
    )
    names = tuple(one["name"] for one in alarms.get("alarms", ())) if alarms.get("enabled") else ()
    made = Deployment(
        f"d-{number}", backend.account_id, self.region, asked, group, service.arn, blue, green, plan, names
    )
    DEPLOYMENTS[made.id] = made
    return ActionResult({"deploymentId": made.id})


def _app_spec(asked: dict[str, Any]) -> dict[str, Any]:
    """Return target and hooks of an AppSpec file.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
    """
    content = ((asked.get("revision") or {}).get("appSpecContent") or {}).get("content")
    if not content:
        raise Refusal("InvalidRevisionException", "Only revisions of type AppSpecContent are known here")
    try:
        told = yaml.safe_load(content)
        [resource] = told["Resources"]
        target = resource["TargetService"]["Properties"]
        hooks = {name: function for one in told.get("Hooks") or [] for name, function in one.items()}
        assert target["TaskDefinition"].startswith("arn:")
        assert target["LoadBalancerInfo"]["ContainerName"]
        assert set(hooks) <= set(HOOKS)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AssertionError, AttributeError) as error:
        raise Refusal("InvalidRevisionException", f"The AppSpec file is not valid: {error!r}") from error
    return {"target": target, "hooks": hooks}


def _service_of(account: str, region: str, group: DeploymentGroup) -> Service:
    [named] = group.ecs_services
    found = ecs_backends[account][region].services.get(f"{named['clusterName']}:{named['serviceName']}")
    if found is None or found.status != "ACTIVE":
        raise Refusal("InvalidECSServiceException", f"The ECS service {named['serviceName']} is not there")
    return found


def pair_of(group: DeploymentGroup) -> dict[str, Any]:
    """Return the target groups and routes that a group shifts traffic with."""
    [pair] = group.load_balancer_info["targetGroupPairInfoList"]
    return dict(pair)


def _idle_group(group: DeploymentGroup, account: str, region: str, blue: TaskSet) -> str:
    from moto.elbv2.models import elbv2_backends

    known = elbv2_backends[account][region].target_groups.values()
    names = [one["name"] for one in pair_of(group)["targetGroups"]]
    arns = [next((one.arn for one in known if one.name == name), "") for name in names]
    if not all(arns):
        raise Refusal("InvalidTargetGroupPairException", f"The target groups {', '.join(names)} are not all there")
    return str(arns[1] if blue.group == arns[0] else arns[0])


def _plan(
    response: CodeDeployResponse, asked: dict[str, Any], group: DeploymentGroup, spec: dict[str, Any], service: Service
) -> Plan:
    options = group.blue_green_deployment_configuration
    ready = options.get("deploymentReadyOption") or {}
    waits = ready.get("actionOnTimeout") == "STOP_DEPLOYMENT"
    ends = options.get("terminateBlueInstancesOnDeploymentSuccess") or {}
    rollback = asked.get("autoRollbackConfiguration") or group.auto_rollback_configuration or {}
    return Plan(
        hooks=spec["hooks"],
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
    return ActionResult({"deploymentInfo": _told(_one(self.params["deploymentId"]))})


def batch_get_deployments(self: CodeDeployResponse) -> ActionResult:
    """Return those that are there: "Gets information about one or more deployments." """
    found = [DEPLOYMENTS[one] for one in self.params["deploymentIds"] if one in DEPLOYMENTS]
    return ActionResult({"deploymentsInfo": [_told(one) for one in found]})


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
    found = _one(self.params["deploymentId"])
    if found.progress.status in OVER:
        raise Refusal("DeploymentAlreadyCompletedException", f"The deployment {found.id} is already completed.")
    message = "The deployment was stopped by a user"
    back = bool(self.params.get("autoRollbackEnabled"))
    moved(found, stop(found.plan, found.progress, time.time(), message, goes_back=back))
    return ActionResult({"status": "Pending", "statusMessage": message})


def continue_deployment(self: CodeDeployResponse) -> EmptyResult:
    """End a wait: "starts the process of rerouting traffic from instances in the original environment to instances in
    the replacement environment without waiting for a specified wait time to elapse."

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ContinueDeployment.html
    """
    found, kind = _one(self.params["deploymentId"]), self.params.get("deploymentWaitType") or READY
    if found.progress.status in OVER:
        raise Refusal("DeploymentAlreadyCompletedException", f"The deployment {found.id} is already completed.")
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
    if found.progress.answered:
        raise Refusal("LifecycleEventAlreadyCompletedException", "The hook was answered already.")
    moved(found, replace(found.progress, answered=status))
    return ActionResult({"lifecycleEventHookExecutionId": found.progress.execution})


def get_deployment_target(self: CodeDeployResponse) -> ActionResult:
    """Return what there is of a deployment's service: events and both sets of tasks."""
    return ActionResult({"deploymentTarget": _target(_one(self.params["deploymentId"]))})


def list_deployment_targets(self: CodeDeployResponse) -> ActionResult:
    """Return the only target of a deployment to ECS: its service."""
    return ActionResult({"targetIds": [_target_id(_one(self.params["deploymentId"]))]})


def batch_get_deployment_targets(self: CodeDeployResponse) -> ActionResult:
    """Return the targets of a deployment."""
    return ActionResult({"deploymentTargets": [_target(_one(self.params["deploymentId"]))]})


def _one(name: str) -> Deployment:
    if name not in DEPLOYMENTS:
        raise Refusal("DeploymentDoesNotExistException", f"The deployment {name} could not be found")
    return DEPLOYMENTS[name]


def _told(one: Deployment) -> dict[str, Any]:
    progress = one.progress
    moments = {"startTime": progress.started, "completeTime": progress.finished}
    told: dict[str, Any] = {
        **{name: one.asked[name] for name in ("applicationName", "deploymentGroupName", "deploymentConfigName")},
        "deploymentId": one.id,
        "description": one.asked.get("description"),
        "revision": one.asked["revision"],
        "status": progress.status,
        "creator": one.creator,
        "createTime": one.created,
        **{name: datetime.fromtimestamp(at, UTC) for name, at in moments.items() if at},
        "computePlatform": "ECS",
        "instanceTerminationWaitTimeStarted": here(one.plan, progress).wait == TERMINATION,
        "blueGreenDeploymentConfiguration": one.group.blue_green_deployment_configuration,
        "loadBalancerInfo": one.group.load_balancer_info,
        "deploymentStyle": one.group.deployment_style,
    }
    if progress.code:
        told["errorInformation"] = {"code": progress.code, "message": progress.message}
    if one.rollback or one.rollback_of:
        named = {"rollbackDeploymentId": one.rollback, "rollbackTriggeringDeploymentId": one.rollback_of}
        told["rollbackInfo"] = {name: value for name, value in named.items() if value}
    return told


def _target_id(one: Deployment) -> str:
    return ":".join(one.service.rsplit("/", 2)[1:])


def _target(one: Deployment) -> dict[str, Any]:
    events = [
        {
            "lifecycleEventName": name,
            "status": status,
            "startTime": datetime.fromtimestamp(started, UTC),
            **({"endTime": datetime.fromtimestamp(ended, UTC)} if ended else {}),
        }
        for name, status, started, ended in one.progress.events
    ]
    asked = one.wanted
    sets = [("Blue", one.blue, 100 - asked.percent), ("Green", one.green, asked.percent)]
    statuses = {"Blue": "PRIMARY" if one.blue.is_primary else "DRAINING", "Green": "ACTIVE"}
    return {
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": one.id,
            "targetId": _target_id(one),
            "targetArn": one.service,
            "lastUpdatedAt": datetime.fromtimestamp(max(one.progress.entered, one.progress.finished, 1), UTC),
            "lifecycleEvents": events,
            "status": one.progress.status,
            "taskSetsInfo": [
                {
                    "identifer": task_set.id,
                    "taskSetLabel": label,
                    "trafficWeight": share,
                    "desiredCount": task_set.count,
                    "runningCount": len(task_set.running()),
                    "status": statuses[label],
                    "targetGroup": {"name": task_set.group.rsplit("/", 2)[1] if task_set.group else None},
                }
                for label, task_set, share in sets
            ],
        },
    }


def moved(one: Deployment, progress: Progress) -> None:
    """Take over how far a deployment is, and what that means for its service."""
    began_back = progress.rolls_back and not one.progress.rolls_back
    one.progress = replace(progress, version=progress.version + 1)
    if began_back:
        number = "".join(mock_random.choice(ID_LETTERS) for _ in range(9))
        back = replace_deployment(one, f"d-{number}")
        one.rollback = back.id
    if not one.is_over:
        return
    if one.progress.status == "Succeeded":
        _become(one, one.green, one.blue)
    elif one.progress.rolls_back:
        _become(one, one.blue, one.green)


def replace_deployment(one: Deployment, name: str) -> Deployment:
    """Write down the deployment by which CodeDeploy goes back: it is over when the one that failed is back."""
    asked = {**one.asked, "description": f"Automatic rollback of {one.id}"}
    done = Progress(status="Succeeded", started=time.time(), finished=time.time(), is_back=True)
    made = replace(one, id=name, asked=asked, creator="codeDeployRollback", rollback_of=one.id, progress=done)
    DEPLOYMENTS[name] = made
    return made


def _become(one: Deployment, stays: TaskSet, goes: TaskSet) -> None:
    goes.count = 0
    SETS.pop(goes.id, None)
    stays.is_primary = True
    region, account = one.service.split(":")[3:5]
    cluster, name = one.service.rsplit("/", 2)[1:]
    service = ecs_backends[account][region].services.get(f"{cluster}:{name}")
    if service is not None:
        service.task_definition, stays.count = stays.definition, service.desired_count


def take_progress(told: dict[str, Any]) -> None:
    """Take over how far an agent found a deployment, unless something else happened to it meanwhile."""
    found = DEPLOYMENTS[told["id"]]
    progress = Progress(**{**told["progress"], "events": tuple(map(tuple, told["progress"]["events"]))})
    if progress.version == found.progress.version:
        moved(found, progress)


def revision_json(definition: str, container: str, port: int, hooks: dict[str, str]) -> str:
    """Return an AppSpec file for a definition."""
    info = {"ContainerName": container, "ContainerPort": port}
    properties = {"TaskDefinition": definition, "LoadBalancerInfo": info}
    target = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}
    return json.dumps({"version": 0.0, "Resources": [target], "Hooks": [{name: one} for name, one in hooks.items()]})


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
