"""Deployments of ECS itself: begun so that they wait at their hooks, let go on, sent back.

Every stage at which traffic would move or the old tasks would go has a hook of PAUSE, so nothing moves unless Headway
says so; a hook that nobody answers in time sends the deployment back.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.failures import aws_errors, code_of
from delivery.aws.service_ways import ServiceWay
from delivery.errors import ReleaseUnhealthy, Transient
from delivery.spec.environments import Environment
from delivery.spec.shift import ShiftPlan
from delivery.waiting import until

HOOKED = ("POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
TO_USERS = HOOKED[:2]  # after these a larger share of users gets the new tasks
SETTLED = ("BAKE_TIME", "CLEAN_UP")
OPEN = ("PENDING", "IN_PROGRESS")
GOING_BACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED")
RECOVERY_SECONDS = 900  # until somebody else finds what a process left that died
STEP_SECONDS, END_SECONDS = 600.0, 1800.0
PAST = ("ConflictException", "InvalidParameterException", "ServiceDeploymentNotFoundException")
BETWEEN_SECONDS, REVISIONS_AT_ONCE = 0.5, 20


@dataclass(frozen=True)
class Rollout:
    """A deployment of one service, as ECS tells of it."""

    told: Mapping[str, Any]
    definition: str

    @property
    def arn(self) -> str:
        """Its whole name."""
        return str(self.told["serviceDeploymentArn"])

    @property
    def status(self) -> str:
        """How it is."""
        return str(self.told["status"])

    @property
    def stage(self) -> str:
        """The stage it is in: AWS adds some, so any text."""
        return str(self.told.get("lifecycleStage") or "")

    @property
    def percent(self) -> float:
        """The share of users that it asks for."""
        return float(self.told["targetServiceRevision"].get("requestedProductionTrafficWeight") or 0)

    @property
    def hook(self) -> str:
        """The hook that waits; empty when none does."""
        waiting = (one for one in self.told.get("lifecycleHookDetails", ()) if one["status"] == "AWAITING_ACTION")
        return next((str(one["hookId"]) for one in waiting), "")

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.status in OPEN

    @property
    def is_active(self) -> bool:
        """Whether it goes on, or back."""
        return self.is_open or self.status in GOING_BACK

    @property
    def has_held(self) -> bool:
        """Whether it goes on, or came to its end: ECS did not take it back."""
        return self.is_open or self.status == "SUCCESSFUL"

    @property
    def is_staged(self) -> bool:
        """Whether its tasks are healthy and serve tests, or more than that."""
        later = (*HOOKED, "PRODUCTION_TRAFFIC_SHIFT", *SETTLED)
        return self.status == "SUCCESSFUL" or (self.is_open and self.stage in later and self._waits_or_goes)

    @property
    def _waits_or_goes(self) -> bool:
        return self.stage != HOOKED[0] or bool(self.hook)

    @property
    def reason(self) -> str:
        """Why it is as it is, in ECS's words."""
        return str(self.told.get("statusReason") or (self.told.get("rollback") or {}).get("reason") or self.status)


def configuration(environment: Environment, *, at_once: bool) -> dict[str, Any]:
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
class EcsRollouts:
    """What is done with the deployments of services in one cluster."""

    client: Any
    cluster: str

    def begin(self, way: ServiceWay, definition: str, **asked: Any) -> None:
        """Start the deployment of a definition, unless it was started already."""
        newest = next(iter(self._newest(way)), None)
        if newest and newest.definition == definition and newest.has_held:
            return
        with aws_errors("ecs"):
            self.client.update_service(
                cluster=self.cluster,
                service=way.service,
                taskDefinition=definition,
                deploymentController={"type": "ECS"},
                **asked,
            )

    def find(self, way: ServiceWay, definition: str) -> Rollout | None:
        """Return the newest deployment of a definition, or none."""
        return next((one for one in self._newest(way) if one.definition == definition), None)

    def open_of(self, way: ServiceWay) -> Rollout | None:
        """Return the deployment of a service that is not over, or none."""
        return next((one for one in self._newest(way) if one.is_active), None)

    def _newest(self, way: ServiceWay) -> list[Rollout]:
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
            Rollout(told[one["serviceDeploymentArn"]], revisions.get(one["targetServiceRevisionArn"], ("", ""))[0])
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
        with aws_errors("ecs"):
            [service] = self.client.describe_services(cluster=self.cluster, services=[way.service])["services"]
            return dict(self._definitions([one["arn"] for one in service.get("currentServiceRevisions", ())]).values())

    def shift(self, way: ServiceWay, definition: str, percent: float) -> None:
        """Let a deployment go on until so many users get it; ReleaseUnhealthy when it goes back instead."""
        self._on(way, definition, lambda now: now.percent >= percent or now.status == "SUCCESSFUL", TO_USERS)

    def settle(self, way: ServiceWay, definition: str) -> None:
        """Let a deployment pass its last hook: what it replaced stands for the time to bake."""
        self._on(way, definition, lambda now: now.stage in SETTLED or now.status == "SUCCESSFUL", HOOKED)

    def finish(self, way: ServiceWay, definition: str, bake_seconds: float) -> None:
        """Return when a deployment is over and what it replaced is gone."""
        self._on(way, definition, lambda now: now.status == "SUCCESSFUL", HOOKED, bake_seconds + END_SECONDS)

    def send_back(self, way: ServiceWay, definition: str) -> bool:
        """Let a deployment go back, unless it is over or does; whether there is one that does."""
        found = self.find(way, definition)
        if found is None or not found.is_active:
            return False
        if found.is_open:
            self._unless_over(self.client.stop_service_deployment, serviceDeploymentArn=found.arn, stopType="ROLLBACK")
        return True

    def until_back(self, way: ServiceWay, definition: str) -> None:
        """Return when a deployment that goes back has; Transient when that takes too long."""
        found = until(lambda: self._is_back(way, definition), seconds=END_SECONDS, every=BETWEEN_SECONDS)
        if not found:
            raise Transient(f"the deployment of {way.service} did not go back within {END_SECONDS:g} s")

    def _is_back(self, way: ServiceWay, definition: str) -> bool:
        now = self.find(way, definition)
        return now is None or not now.is_active

    def _runs(self, way: ServiceWay, definition: str) -> bool:
        with aws_errors("ecs"):
            [service] = self.client.describe_services(cluster=self.cluster, services=[way.service])["services"]
        return bool(service["taskDefinition"] == definition)

    def _unless_over(self, act: Callable[..., object], **asked: str) -> None:
        """Ask for something that a deployment which went on, or ended, meanwhile has no use for.

        It may have gone on because of the same request, whose answer was lost: what came of it is seen at the next
        look.
        """
        with aws_errors("ecs"):
            try:
                act(**asked)
            except ClientError as error:
                if code_of(error) not in PAST:
                    raise

    def _on(
        self,
        way: ServiceWay,
        definition: str,
        is_there: Callable[[Rollout], bool],
        hooks: tuple[str, ...],
        seconds: float = STEP_SECONDS,
    ) -> None:
        """Answer hooks of some stages until it is as is asked; the others keep waiting."""

        def look() -> bool:
            now = self.find(way, definition)
            if now is None and self._runs(way, definition):  # since long before the deployments that ECS remembers
                return True
            if now is None or not now.has_held:
                raise ReleaseUnhealthy(
                    f"ECS took the deployment of {way.service} back: {now.reason if now else 'gone'}"
                )
            if is_there(now):
                return True
            if now.hook and now.stage in hooks:
                asked = {"serviceDeploymentArn": now.arn, "hookId": now.hook, "action": "CONTINUE"}
                self._unless_over(self.client.continue_service_deployment, **asked)
            return False

        if not until(look, seconds=seconds, every=BETWEEN_SECONDS):
            raise Transient(f"the deployment of {way.service} did not go on within {seconds:g} s")
