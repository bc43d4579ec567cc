"""What CodeDeploy says of a deployment to ECS, and of the service that it is of."""

from datetime import UTC, datetime
from typing import Any

from local_aws.services.codedeploy_records import Deployment
from local_aws.services.codedeploy_stages import TERMINATION, here

ASKED = ("applicationName", "deploymentGroupName", "deploymentConfigName")


def told(one: Deployment) -> dict[str, Any]:
    """Return how a deployment is.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentInfo.html
    """
    progress, at = one.progress, here(one.plan, one.progress)
    moments = {"startTime": progress.started, "completeTime": progress.finished}
    found: dict[str, Any] = {
        **{name: one.asked[name] for name in ASKED},
        "deploymentId": one.id,
        "description": one.asked.get("description"),
        "revision": one.asked["revision"],
        "status": progress.status,
        "creator": "codeDeployRollback" if one.rollback_of else "user",
        "createTime": one.created,
        **{name: _moment(at) for name, at in moments.items() if at},
        "computePlatform": "ECS",
        "instanceTerminationWaitTimeStarted": at.wait == TERMINATION or at.ends,
        "blueGreenDeploymentConfiguration": one.group.blue_green_deployment_configuration,
        "loadBalancerInfo": one.group.load_balancer_info,
        "deploymentStyle": one.group.deployment_style,
    }
    if progress.code:
        found["errorInformation"] = {"code": progress.code, "message": progress.message}
    if one.rollback or one.rollback_of:
        named = {"rollbackDeploymentId": one.rollback, "rollbackTriggeringDeploymentId": one.rollback_of}
        found["rollbackInfo"] = {name: value for name, value in named.items() if value}
    return found


def target_id(one: Deployment) -> str:
    """Return how CodeDeploy names the service of a deployment: "in the format clusterName:serviceName"."""
    return ":".join(one.service.rsplit("/", 2)[1:])


def target(one: Deployment) -> dict[str, Any]:
    """Return the service of a deployment, with its events and both sets of tasks.

    https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ECSTarget.html
    """
    events = [
        {
            "lifecycleEventName": name,
            "status": status,
            "startTime": _moment(started),
            **({"endTime": _moment(ended)} if ended else {}),
        }
        for name, status, started, ended in one.progress.events
    ]
    share = one.wanted.percent
    sets = [("Blue", one.blue, 100 - share), ("Green", one.green, share)]
    changed = max(one.progress.entered, one.progress.finished, one.created.timestamp())
    return {
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": one.id,
            "targetId": target_id(one),
            "targetArn": one.service,
            "lastUpdatedAt": _moment(changed),
            "lifecycleEvents": events,
            "status": one.progress.status,
            "taskSetsInfo": [
                {
                    "identifer": task_set.id,
                    "taskSetLabel": label,
                    "trafficWeight": weight,
                    "desiredCount": task_set.count,
                    "pendingCount": len([task for task in task_set.tasks() if not task.shall_stop])
                    - len(task_set.running()),
                    "runningCount": len(task_set.running()),
                    "status": "PRIMARY" if task_set.is_primary else "ACTIVE",
                    "targetGroup": {"name": task_set.group.rsplit("/", 2)[1] if task_set.group else None},
                }
                for label, task_set, weight in sets
            ],
        },
    }


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
