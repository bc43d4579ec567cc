"""Deployments of CodeDeploy: ready for users, let go on, kept open by a hook until Headway says yes, sent back.

The wait before users get it and the one before the old tasks go belong to the deployment group. In between a hook calls
the relay (infra/aws/relay), which says on a queue that CodeDeploy waits; nobody's answer within the hour sends it back.
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-ecs.html
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.access import AwsAccess
from delivery.aws.app_spec import app_spec, definition_in
from delivery.aws.deployment_config import AT_ONCE, config_of
from delivery.aws.described_service import described_service
from delivery.aws.failures import aws_errors, code_of
from delivery.aws.hook_queue import HookQueue
from delivery.aws.rollouts import STEP_SECONDS, Asked, Goal, Rollout, Rollouts
from delivery.aws.service_ways import ServiceWay, Ways
from delivery.spec.environments import Environment

OPEN = ("Created", "Queued", "InProgress", "Baking", "Ready")
READY, TERMINATION, HOOK = "READY_WAIT", "TERMINATION_WAIT", "AfterAllowTraffic"
TO_USERS = ("BeforeAllowTraffic", "AllowTraffic", HOOK)
BACK_ON = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
BEGUN = ("InProgress", "Succeeded")
OF_A_ROLLBACK, AT_ONCE_READ = "codeDeployRollback", 25


def rollout_of(told: Mapping[str, Any], target: Mapping[str, Any], *, goes_back: bool) -> Rollout:
    """Return a deployment from what GetDeployment and GetDeploymentTarget tell; `goes_back`: by another one."""
    status, error = str(told["status"]), told.get("errorInformation") or {}
    events = {str(one["lifecycleEventName"]): str(one["status"]) for one in target.get("lifecycleEvents", ())}
    shares = {one.get("taskSetLabel"): float(one.get("trafficWeight") or 0) for one in target.get("taskSetsInfo", ())}
    is_open, has_succeeded = status in OPEN, status == "Succeeded"
    is_settled = has_succeeded or bool(is_open and told.get("instanceTerminationWaitTimeStarted"))
    waits_at = READY if status == "Ready" else TERMINATION if is_settled else ""
    return Rollout(
        id=str(told["deploymentId"]),
        definition=definition_in(told),
        created=told["createTime"],
        is_open=is_open,
        is_active=is_open or goes_back,
        has_succeeded=has_succeeded,
        is_staged=has_succeeded
        or (is_open and (status == "Ready" or any(events.get(one) in BEGUN for one in TO_USERS))),
        is_settled=is_settled,
        percent=100.0 if has_succeeded else shares.get("Green", 0.0),
        reason=f"{error.get('code')}: {error.get('message')}" if error else status,
        waits_at=HOOK if events.get(HOOK) == "InProgress" else waits_at,
    )


@dataclass(frozen=True)
class CodeDeployRollouts(Rollouts):
    """The deployments of services that CodeDeploy deploys."""

    access: AwsAccess
    cluster: str
    ways: Ways
    environment: Environment
    mover, api = "CodeDeploy", "codedeploy"
    past = (
        "DeploymentAlreadyCompletedException",
        "DeploymentIsNotInReadyStateException",
        "InvalidLifecycleEventHookExecutionIdException",
        "LifecycleEventAlreadyCompletedException",
    )

    @property
    def client(self) -> Any:
        """CodeDeploy."""
        return self.access.client("codedeploy")

    def begin(self, way: ServiceWay, definition: str, asked: Asked) -> None:
        """Start the deployment of a definition, unless it was started already.

        Both the old and the new tasks are as many as the service is asked for. One that ran nothing yet is asked for
        tasks when the new ones are made: what it was created with never was a release.
        """
        before = self._service(way)["desiredCount"]
        if 0 < before < asked.count:
            self._scale(way, asked.count)
        newest = next(iter(self.newest(way)), None)
        if not (newest and newest.definition == definition and newest.has_held):
            self._create(way, definition, asked)
        if not before:
            self._on(way, definition, lambda now: now.is_staged, "users", STEP_SECONDS)
            self._scale(way, asked.count)

    def _create(self, way: ServiceWay, definition: str, asked: Asked) -> None:
        content = app_spec(definition, asked.container, asked.port, {HOOK: self.ways.hook})
        with aws_errors("codedeploy"):
            try:
                self.client.create_deployment(
                    applicationName=self.ways.application,
                    deploymentGroupName=way.deployment_group,
                    deploymentConfigName=AT_ONCE if asked.at_once else self._config(),
                    description=asked.label,
                    revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
                    autoRollbackConfiguration={"enabled": True, "events": BACK_ON},
                    overrideAlarmConfiguration={
                        "enabled": bool(self.ways.alarms),
                        "alarms": [{"name": name} for name in self.ways.alarms],
                    },
                )
            except ClientError as error:
                # AWS takes no token: the answer of the same request may have been lost.
                if code_of(error) != "DeploymentLimitExceededException" or not self.find(way, definition):
                    raise

    def _config(self) -> str:
        name, routing = config_of(self.environment.shift)
        if routing:
            try:
                self.client.create_deployment_config(
                    deploymentConfigName=name, computePlatform="ECS", trafficRoutingConfig=routing
                )
            except ClientError as error:
                if code_of(error) != "DeploymentConfigAlreadyExistsException":
                    raise
        return name

    def newest(self, way: ServiceWay) -> list[Rollout]:
        """Return the last deployments of a service, the newest first, without those by which CodeDeploy went back."""
        named = {"applicationName": self.ways.application, "deploymentGroupName": way.deployment_group}
        with aws_errors("codedeploy"):
            ids = self.client.list_deployments(**named)["deployments"][:AT_ONCE_READ]
            listed = self._told(ids)
            others = [one for one in map(_rollback_of, listed.values()) if one and one not in listed]
            listed |= self._told(others)
            own = [one for one in listed.values() if one.get("creator") != OF_A_ROLLBACK]
            return [self._rollout(one, listed) for one in sorted(own, key=lambda one: one["createTime"], reverse=True)]

    def _told(self, ids: list[str]) -> dict[str, Mapping[str, Any]]:
        if not ids:
            return {}
        found = self.client.batch_get_deployments(deploymentIds=ids[:AT_ONCE_READ])["deploymentsInfo"]
        return {str(one["deploymentId"]): one for one in found}

    def _rollout(self, told: Mapping[str, Any], listed: Mapping[str, Mapping[str, Any]]) -> Rollout:
        back = listed.get(_rollback_of(told), {})
        target: Mapping[str, Any] = {}
        if told["status"] in OPEN:
            name = str(told["deploymentId"])
            targets = self.client.list_deployment_targets(deploymentId=name).get("targetIds", [])
            for one in targets[:1]:  # none as long as it was only created
                found = self.client.get_deployment_target(deploymentId=name, targetId=one)
                target = found["deploymentTarget"]["ecsTarget"]
        return rollout_of(told, target, goes_back=back.get("status") in OPEN)

    def groups(self, way: ServiceWay) -> dict[str, str]:
        """Return definition → the target group its tasks are in, of what the service runs now."""
        return {
            str(one["taskDefinition"]): next((str(each["targetGroupArn"]) for each in one["loadBalancers"]), "")
            for one in self._service(way).get("taskSets", ())
        }

    def runs(self, way: ServiceWay, definition: str) -> bool:
        """Whether a definition is that of the service's primary tasks."""
        primary = [one for one in self._service(way).get("taskSets", ()) if one["status"] == "PRIMARY"]
        return any(one["taskDefinition"] == definition for one in primary)

    def shift(self, way: ServiceWay, definition: str, percent: float, seconds: float = STEP_SECONDS) -> None:
        """Let CodeDeploy move traffic, which it does by the clock then, until so many users get it."""
        holds = sum(step.hold_seconds for step in self.environment.shift.steps)
        super().shift(way, definition, percent, seconds + holds)

    def settle(self, way: ServiceWay, definition: str, count: int) -> None:
        """Say yes to a deployment: what it replaced stands until its wait ends, and `count` tasks stay."""
        super().settle(way, definition, count)
        if self._service(way)["desiredCount"] != count:
            self._scale(way, count)

    def go_on(self, way: ServiceWay, found: Rollout, goal: Goal) -> None:
        """End the wait, or answer the hook, that a deployment is at, unless it is behind the goal."""
        if found.waits_at == HOOK and goal != "users":
            self._answer(found.id)
        elif found.waits_at == READY or (found.waits_at == TERMINATION and goal == "end"):
            asked = {"deploymentId": found.id, "deploymentWaitType": found.waits_at}
            self.unless_past(self.client.continue_deployment, **asked)

    def _answer(self, deployment: str) -> None:
        """Say to CodeDeploy that a release is well, when the relay told which execution of its hook waits."""
        queue = HookQueue(self.access.client("sqs"), self.ways.queue)
        for told in queue.of(deployment, self._over):
            self.unless_past(
                self.client.put_lifecycle_event_hook_execution_status,
                deploymentId=deployment,
                lifecycleEventHookExecutionId=told.execution,
                status="Succeeded",
            )
            queue.forget(told)

    def _over(self, deployments: Collection[str]) -> set[str]:
        """Return those that came to their end."""
        with aws_errors("codedeploy"):
            found = self._told(sorted(deployments))
        return {name for name, one in found.items() if one["status"] not in OPEN}

    def stop(self, found: Rollout) -> None:
        """Let a deployment go back."""
        self.unless_past(self.client.stop_deployment, deploymentId=found.id, autoRollbackEnabled=True)

    def is_back(self, way: ServiceWay, definition: str) -> bool:
        """Whether no deployment of a definition goes on, or back, and its tasks are not the service's any more."""
        return super().is_back(way, definition) and definition not in self.groups(way)

    def how_to_stop(self, found: Rollout) -> str:
        """Return the command with which a person lets a deployment go back."""
        return f"aws deploy stop-deployment --auto-rollback-enabled --deployment-id {found.id}"

    def _service(self, way: ServiceWay) -> Mapping[str, Any]:
        return described_service(self.access.client("ecs"), self.cluster, way)

    def _scale(self, way: ServiceWay, count: int) -> None:
        with aws_errors("ecs"):
            self.access.client("ecs").update_service(cluster=self.cluster, service=way.service, desiredCount=count)


def _rollback_of(told: Mapping[str, Any]) -> str:
    return str((told.get("rollbackInfo") or {}).get("rollbackDeploymentId") or "")
