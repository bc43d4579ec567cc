"""ECS's deployments of services: begun by a change of a service, looked at, let go on, stopped.

An agent brings them forward: it tells how far one has come as everybody asks for something, by a request.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_api._internal import mock_random

from local_aws import reports
from local_aws.pace import minute_seconds
from local_aws.services.ecs import all_tasks
from local_aws.services.ecs_checks import check_configuration, watched_alarms
from local_aws.services.ecs_running import MISSING, cluster_of, invalid
from local_aws.services.ecs_stages import OVER, Plan, Progress, back, stage_of
from local_aws.services.ecs_task_sets import (
    DEPLOYMENTS,
    REVISIONS,
    SCHEDULER,
    Deployment,
    TaskSet,
    add_event,
    moved,
    new_set,
    open_deployment,
    services,
    sets_of,
)
from local_aws.services.errors import Refusal

MOST_ASKED, PAGE = 20, 100


def begin(service: Service, definition: str, count: int) -> None:
    """Let a service run another definition: by a deployment, or at once while it runs nothing yet."""
    sources = [one for one in sets_of(service.arn) if one.is_primary]
    if found := open_deployment(service.arn):
        why = "Service deployment was stopped because another one was started"
        moved(found, replace(found.progress, status="STOPPED", reason=why, finished=time.time()))
    configuration = dict(vars(service)["deploymentConfiguration"])
    strategy = configuration.get("strategy", "ROLLING")
    check_configuration(configuration, service.load_balancers)
    balancers, groups = [dict(one) for one in service.load_balancers], list[str]()
    if balancers and strategy != "ROLLING":
        groups = [balancers[0]["targetGroupArn"], balancers[0]["advancedConfiguration"]["alternateTargetGroupArn"]]
        used = sources[-1].group if sources else groups[1]
        balancers[0]["targetGroupArn"] = groups[1] if used == groups[0] else groups[0]
    target = new_set(service, definition, balancers, count)
    for one in sources:
        one.is_primary = False
    plan = Plan(
        configuration,
        source_tasks=max((one.count for one in sources), default=0),
        target_tasks=count,
        has_balancer=bool(balancers),
        minute_seconds=minute_seconds(),
    )
    arn = service.arn.replace(":service/", ":service-deployment/") + f"/{mock_random.get_random_hex(16)}"
    watched = watched_alarms(service, configuration.get("alarms") or {})
    DEPLOYMENTS[arn] = Deployment(arn, service.arn, sources, target, plan, tuple(groups), watched)


def scale(service: Service) -> None:
    """Let a service run as many tasks as are asked for now, also in the middle of a deployment."""
    for one in sets_of(service.arn):
        one.count = service.desired_count if one.is_primary else min(one.count, service.desired_count)
    if found := open_deployment(service.arn):
        found.plan = replace(found.plan, target_tasks=service.desired_count)


def list_service_deployments(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return those of a service, the newest first: "This operation lists all the service deployments that meet the
    specified filter criteria."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
    """
    asked = self.params
    service = service_of(self.ecs_backend, asked.get("cluster"), asked["service"])
    found = [
        one
        for one in reversed(DEPLOYMENTS.values())
        if one.service == service.arn and (not asked.get("status") or one.progress.status in asked["status"])
    ]
    start, size = int(asked.get("nextToken") or 0), asked.get("maxResults") or PAGE
    page = {"nextToken": str(start + size)} if len(found) > start + size else {}
    names = ("serviceDeploymentArn", "serviceArn", "clusterArn", "status", "statusReason", "createdAt", "startedAt")
    told = []
    for one in found[start : start + size]:
        whole = _told(one)
        brief = {name: whole[name] for name in (*names, "finishedAt") if name in whole}
        told.append({**brief, "targetServiceRevisionArn": one.target.revision})
    return ActionResult({"serviceDeployments": told, **page})


def describe_service_deployments(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return deployments as they are, at most twenty: "Describes one or more of your service deployments."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
    """
    asked = self.params["serviceDeploymentArns"]
    if len(asked) > MOST_ASKED:
        raise invalid(f"serviceDeploymentArns can have at most {MOST_ASKED} items.")
    found = [_told(DEPLOYMENTS[arn]) for arn in asked if arn in DEPLOYMENTS]
    failures = [{"arn": arn, "reason": MISSING} for arn in asked if arn not in DEPLOYMENTS]
    return ActionResult({"serviceDeployments": found, "failures": failures})


def describe_service_revisions(self: EC2ContainerServiceResponse) -> ActionResult:
    """Return what revisions of services were: "Describes one or more service revisions."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
    """
    asked = self.params["serviceRevisionArns"]
    found = [_revision(REVISIONS[arn]) for arn in asked if arn in REVISIONS]
    failures = [{"arn": arn, "reason": MISSING} for arn in asked if arn not in REVISIONS]
    return ActionResult({"serviceRevisions": found, "failures": failures})


def stop_service_deployment(self: EC2ContainerServiceResponse) -> ActionResult:
    """Let a deployment go back: "How you want Amazon ECS to stop the service. The valid values are ROLLBACK."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
    """
    asked = self.params
    found = _open_one(asked["serviceDeploymentArn"])
    if asked.get("stopType", "ROLLBACK") != "ROLLBACK":
        raise invalid("The valid values of stopType are ROLLBACK.")
    if found.progress.status not in ("PENDING", "IN_PROGRESS"):
        raise _conflict(found)
    moved(found, back(found.progress, "Service deployment rolled back because it was stopped"))
    return ActionResult({"serviceDeploymentArn": found.arn})


def continue_service_deployment(self: EC2ContainerServiceResponse) -> ActionResult:
    """Answer a hook that waits: its deployment goes on, or back.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html
    """
    asked = self.params
    found = _open_one(asked["serviceDeploymentArn"])
    waiting = [one for one in found.progress.hooks if one["hookId"] == asked["hookId"]]
    if not waiting:
        raise invalid(f"The lifecycle hook {asked['hookId']} is not one of the current stage.")
    if waiting[0]["status"] != "AWAITING_ACTION" or found.progress.status != "IN_PROGRESS":
        raise _conflict(found)
    goes_on = asked.get("action", "CONTINUE") == "CONTINUE"
    answered = {**waiting[0], "status": "SUCCEEDED" if goes_on else "FAILED"}
    hooks = tuple(answered if one is waiting[0] else one for one in found.progress.hooks)
    progress = replace(found.progress, hooks=hooks)
    why = "Service deployment rolled back because a lifecycle hook was answered so"
    moved(found, progress if goes_on else back(progress, why))
    return ActionResult({"serviceDeploymentArn": found.arn})


def service_of(backend: EC2ContainerServiceBackend, cluster: str | None, name: str) -> Service:
    """Return a service that is there."""
    found = backend.services.get(f"{cluster_of(backend, cluster).name}:{name.rpartition('/')[2]}")
    if found is None:
        raise Refusal("ServiceNotFoundException", "Service not found.")
    return found


def _open_one(arn: str) -> Deployment:
    found = DEPLOYMENTS.get(arn)
    if found is None:
        raise Refusal("ServiceDeploymentNotFoundException", "The service deployment was not found.")
    if found.progress.status in OVER:
        raise _conflict(found)
    return found


def _conflict(deployment: Deployment) -> Exception:
    return Refusal("ConflictException", f"The service deployment is {deployment.progress.status}.")


def counts(one: TaskSet, requested: int) -> dict[str, Any]:
    """Return how many tasks of a revision are asked for, run and are about to."""
    running, tasks = one.running(), [task for task in one.tasks() if not task.shall_stop]
    return {
        "arn": one.revision,
        "requestedTaskCount": requested,
        "runningTaskCount": len(running),
        "pendingTaskCount": len(tasks) - len(running),
    }


def _told(one: Deployment) -> dict[str, Any]:
    progress, asked = one.progress, one.wanted
    moments = {
        "startedAt": progress.started,
        "finishedAt": progress.finished,
        "updatedAt": max(progress.entered, progress.finished, progress.back_since, progress.started),
    }
    target = counts(one.target, asked.target_tasks)
    shares = {"requestedProductionTrafficWeight": asked.percent, "requestedTestTrafficWeight": asked.test_percent}
    others = {name: 100 - share for name, share in shares.items()}
    has_shares = bool(one.target.group)
    alarms = one.plan.configuration.get("alarms") or {}
    watching = "TRIGGERED" if progress.alarms else "MONITORING_COMPLETE" if one.is_over else "MONITORING"
    told: dict[str, Any] = {
        "serviceDeploymentArn": one.arn,
        "serviceArn": one.service,
        "clusterArn": one.target.asked["cluster"],
        "createdAt": one.created,
        **{name: datetime.fromtimestamp(at, UTC) for name, at in moments.items() if at},
        "status": progress.status,
        "statusReason": progress.reason,
        "deploymentConfiguration": dict(one.plan.configuration),
        "targetServiceRevision": {**target, **(shares if has_shares else {})},
        "sourceServiceRevisions": [
            {**counts(source, asked.source_tasks), **(others if has_shares else {})} for source in one.sources
        ],
        "lifecycleHookDetails": [
            {**hook, "expiresAt": datetime.fromtimestamp(hook["expiresAt"], UTC)} for hook in progress.hooks
        ],
    }
    if progress.status == "IN_PROGRESS":
        told["lifecycleStage"] = stage_of(one.plan, progress)
    if alarms.get("enable"):
        found = {"alarmNames": alarms["alarmNames"], "triggeredAlarmNames": list(progress.alarms)}
        told["alarms"] = {"status": watching, **found}
    if progress.back_because:
        told["rollback"] = {"reason": progress.back_because, "startedAt": moments["updatedAt"]}
        told["rollback"] |= {"serviceRevisionArn": one.sources[-1].revision} if one.sources else {}
    return told


def _revision(one: TaskSet) -> dict[str, Any]:
    images = {
        container["name"]: container
        for task in (one.tasks() or [])
        for container in task.told["containers"]
        if container.get("imageDigest")
    }
    resolved = [
        {
            "targetGroupArn": balancer["targetGroupArn"],
            "productionListenerRule": (balancer.get("advancedConfiguration") or {}).get("productionListenerRule"),
        }
        for balancer in one.balancers
    ]
    return {
        "serviceRevisionArn": one.revision,
        "serviceArn": one.service,
        "clusterArn": one.asked["cluster"],
        "taskDefinition": one.definition,
        "launchType": one.asked.get("launchType"),
        "loadBalancers": one.balancers,
        "networkConfiguration": one.asked.get("networkConfiguration"),
        "createdAt": one.created,
        "containerImages": [
            {"containerName": name, "image": found["image"], "imageDigest": found["imageDigest"]}
            for name, found in images.items()
        ],
        "resolvedConfiguration": {"loadBalancers": resolved},
    }


def take_progress(told: dict[str, Any]) -> None:
    """Take over how far an agent found a deployment, unless something else happened to it meanwhile."""
    found = DEPLOYMENTS[told["arn"]]
    given = {**told["progress"], "hooks": tuple(told["progress"]["hooks"]), "alarms": tuple(told["progress"]["alarms"])}
    progress = Progress(**given)
    if progress.version == found.progress.version:
        moved(found, progress)


def take_event(told: dict[str, Any]) -> None:
    """Take over what an agent says of a service."""
    service = next((one for one in services() if one.arn == told["service"]), None)
    if service is not None:
        add_event(service, told["message"], time.time())


def take_stop(told: dict[str, Any]) -> None:
    """Let a task end that an agent wants to end, for whatever reason it says."""
    found = next((one for one in all_tasks() if one.task_arn == told["task"]), None)
    if found is not None:
        found.stop(told["reason"], SCHEDULER)


def add() -> None:
    """Put them beside moto's, and take what the agent tells."""
    for operation in (
        list_service_deployments,
        describe_service_deployments,
        describe_service_revisions,
        stop_service_deployment,
        continue_service_deployment,
    ):
        setattr(EC2ContainerServiceResponse, operation.__name__, operation)
    reports.TAKEN |= {"ecs-deployment": take_progress, "ecs-event": take_event, "ecs-stop": take_stop}
