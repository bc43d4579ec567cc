"""Deployments of ECS itself: begun so that they wait at their hooks, let go on, sent back.

Every stage at which traffic would move or the old tasks would go has a hook of PAUSE, so nothing moves unless Headway
says so; a hook that nobody answers in time sends the deployment back.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.aws.described_service import described_service
from delivery.aws.failures import aws_errors
from delivery.aws.rollouts import Asked, Goal, Rollout, Rollouts
from delivery.aws.service_ways import ServiceWay, Ways
from delivery.spec.environments import Environment
from delivery.spec.shift import ShiftPlan

HOOKED = ("POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
TO_USERS = HOOKED[:2]  # after these a larger share of users gets the new tasks
SETTLED = ("BAKE_TIME", "CLEAN_UP")
OPEN = ("PENDING", "IN_PROGRESS")
GOING_BACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED")
RECOVERY_SECONDS = 900  # until somebody else finds what a process left that died
REVISIONS_AT_ONCE = 20


def rollout_of(told: Mapping[str, Any], definition: str) -> Rollout:
    """Return a deployment from what DescribeServiceDeployments tells: stages are any text, for AWS adds some."""
    status, stage = str(told["status"]), str(told.get("lifecycleStage") or "")
    waiting = (one for one in told.get("lifecycleHookDetails", ()) if one["status"] == "AWAITING_ACTION")
    hook = next((str(one["hookId"]) for one in waiting), "")
    is_open, has_succeeded = status in OPEN, status == "SUCCESSFUL"
    later = (*HOOKED, "PRODUCTION_TRAFFIC_SHIFT", *SETTLED)
    return Rollout(
        id=str(told["serviceDeploymentArn"]),
        definition=definition,
        created=told["createdAt"],
        is_open=is_open,
        is_active=is_open or status in GOING_BACK,
        has_succeeded=has_succeeded,
        is_staged=has_succeeded or (is_open and stage in later and (stage != HOOKED[0] or bool(hook))),
        is_settled=has_succeeded or stage in SETTLED,
        percent=float(told["targetServiceRevision"].get("requestedProductionTrafficWeight") or 0),
        reason=str(told.get("statusReason") or (told.get("rollback") or {}).get("reason") or status),
        waits_at=stage,
        hook=hook,
    )


def configuration(environment: Environment, *, at_once: bool, alarms: Sequence[str] = ()) -> dict[str, Any]:
    """Return how ECS is to move traffic: as the environment's shift plan says, or all of it when nobody has it yet.

    The time to bake is how long what was replaced stands ready. A hook waits longer than the longest hold, the watch
    and one recovery take together, and sends the deployment back then.
    """
    plan, watch = environment.shift, environment.watch
    longest = max(step.hold_seconds for step in plan.steps) + watch.seconds + watch.longer_seconds
    minutes = max(1, math.ceil((longest + RECOVERY_SECONDS) / 60))
    hook = {
        "targetType": "PAUSE",
        "lifecycleStages": list(HOOKED),
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": "ROLLBACK"},
    }
    return {
        **(_strategy(plan) if not at_once else {"strategy": "BLUE_GREEN"}),
        "bakeTimeInMinutes": math.ceil(environment.keep_warm_seconds / 60),
        "lifecycleHooks": [hook],
        "alarms": {"alarmNames": list(alarms), "enable": bool(alarms), "rollback": bool(alarms)},
    }


def _strategy(plan: ShiftPlan) -> dict[str, Any]:
    """Return ECS's strategy for a plan: holds are Headway's, at the hooks, so its own are none."""
    first = float(plan.steps[0].percent)
    if len(plan.steps) == 1:
        return {"strategy": "BLUE_GREEN"}
    if len(plan.steps) == 2:
        return {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": first, "canaryBakeTimeInMinutes": 0}}
    return {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": first, "stepBakeTimeInMinutes": 0}}


@dataclass(frozen=True)
class EcsRollouts(Rollouts):
    """The deployments of services that ECS deploys."""

    client: Any
    cluster: str
    environment: Environment
    ways: Ways
    mover, api = "ECS", "ecs"
    past = ("ConflictException", "InvalidParameterException", "ServiceDeploymentNotFoundException")

    def begin(self, way: ServiceWay, definition: str, asked: Asked) -> None:
        """Start the deployment of a definition, unless it was started already."""
        newest = next(iter(self.newest(way)), None)
        if newest and newest.definition == definition and newest.has_held:
            return
        with aws_errors("ecs"):
            self.client.update_service(
                cluster=self.cluster,
                service=way.service,
                taskDefinition=definition,
                desiredCount=asked.count,
                deploymentController={"type": "ECS"},
                **(self._traffic(way, asked) if way.is_reached else {}),
            )

    def _traffic(self, way: ServiceWay, asked: Asked) -> dict[str, Any]:
        """Return what UpdateService is told of both target groups, and of how traffic moves between them."""
        pair = {
            "targetGroupArn": way.groups[0],
            "containerName": asked.container,
            "containerPort": asked.port,
            "advancedConfiguration": {
                "alternateTargetGroupArn": way.groups[1],
                "productionListenerRule": way.production_rule,
                "testListenerRule": way.test_rule,
                "roleArn": self.ways.traffic_role,
            },
        }
        return {
            "loadBalancers": [pair],
            "deploymentConfiguration": configuration(self.environment, at_once=asked.at_once, alarms=self.ways.alarms),
        }

    def newest(self, way: ServiceWay) -> list[Rollout]:
        """Return the deployments of a service that ECS remembers, the newest first."""
        with aws_errors("ecs"):
            listed = self.client.list_service_deployments(
                cluster=self.cluster, service=way.service, maxResults=REVISIONS_AT_ONCE
            )["serviceDeployments"]
            if not listed:
                return []
            arns = [one["serviceDeploymentArn"] for one in listed]
            found = self.client.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
            revisions = self._definitions([one["targetServiceRevisionArn"] for one in listed])
        told = {one["serviceDeploymentArn"]: one for one in found}
        return [
            rollout_of(told[one["serviceDeploymentArn"]], revisions.get(one["targetServiceRevisionArn"], ("", ""))[0])
            for one in listed
            if one["serviceDeploymentArn"] in told
        ]

    def _definitions(self, revisions: list[str]) -> dict[str, tuple[str, str]]:
        """Return revision → its definition and target group."""
        if not revisions:
            return {}
        found = self.client.describe_service_revisions(serviceRevisionArns=list(dict.fromkeys(revisions)))
        return {
            one["serviceRevisionArn"]: (
                str(one["taskDefinition"]),
                next((str(each["targetGroupArn"]) for each in one["resolvedConfiguration"]["loadBalancers"]), ""),
            )
            for one in found["serviceRevisions"]
        }

    def groups(self, way: ServiceWay) -> dict[str, str]:
        """Return definition → the target group its tasks are in, of what the service runs now."""
        service = described_service(self.client, self.cluster, way)
        with aws_errors("ecs"):
            return dict(self._definitions([one["arn"] for one in service.get("currentServiceRevisions", ())]).values())

    def runs(self, way: ServiceWay, definition: str) -> bool:
        """Whether a definition is the service's, whatever deployment it came by."""
        return bool(described_service(self.client, self.cluster, way)["taskDefinition"] == definition)

    def go_on(self, way: ServiceWay, found: Rollout, goal: Goal) -> None:
        """Answer the hook that waits, unless it is behind the goal."""
        if found.hook and found.waits_at in (TO_USERS if goal == "users" else HOOKED):
            asked = {"serviceDeploymentArn": found.id, "hookId": found.hook, "action": "CONTINUE"}
            self.unless_past(self.client.continue_service_deployment, **asked)

    def stop(self, found: Rollout) -> None:
        """Let a deployment go back."""
        self.unless_past(self.client.stop_service_deployment, serviceDeploymentArn=found.id, stopType="ROLLBACK")

    def how_to_stop(self, found: Rollout) -> str:
        """Return the command with which a person lets a deployment go back."""
        return f"aws ecs stop-service-deployment --service-deployment-arn {found.id}"
