"""The agent of CodeDeploy: brings deployments forward, moves their traffic, and calls the functions of their hooks."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace

from botocore.exceptions import ClientError

from local_aws import reports
from local_aws.agents.agent import Agent, log
from local_aws.agents.ecs_services import is_well
from local_aws.agents.functions import call
from local_aws.agents.rule_shares import are_shared, rules_now, share
from local_aws.faults import Faults
from local_aws.operations import Asked
from local_aws.own_client import own_client
from local_aws.services.cloudwatch import alarms_in_alarm
from local_aws.services.codedeploy_records import DEPLOYMENTS, Deployment, pair_of
from local_aws.services.codedeploy_stages import OVER, World, advance, here

ROUTES = {"prodTrafficRoute": "percent", "testTrafficRoute": "test_percent"}
AT_ONCE = 4


class CodeDeployAgent(Agent):
    """Compares the records of deployments with what there is."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("codedeploy")
        self._faults = faults
        self._called = set[str]()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hooks")

    def look(self) -> None:
        """Bring every deployment a step forward."""
        for one in list(DEPLOYMENTS.values()):
            if not one.is_over and not one.rollback_of:
                self._deploy(one)

    def end(self) -> None:
        """Look no more."""
        super().end()
        self._pool.shutdown(cancel_futures=True)

    def _deploy(self, one: Deployment) -> None:
        shares = wanted_shares(one)
        if not are_shared(shares):
            share(shares, one.account, one.region)
        world = replace(_world(one, are_shared(wanted_shares(one))), is_held=self._is_held(one))
        now = advance(one.plan, one.progress, world, lambda: str(uuid.uuid4()))
        if now is not one.progress:
            reports.tell("codedeploy", {"id": one.id, "progress": asdict(now)})
        progress = one.progress
        if progress.status not in OVER and progress.execution and progress.execution not in self._called:
            self._called.add(progress.execution)
            self._pool.submit(_call, one, here(one.plan, progress).hook, progress.execution)

    def _is_held(self, one: Deployment) -> bool:
        event = here(one.plan, one.progress).event
        return self._faults.stands(Asked("codedeploy-agent", one.region, event, "POST", "json"))


def wanted_shares(one: Deployment) -> dict[str, dict[str, int]]:
    """Return rule → target group → weight: of every rule of its listeners that sends requests to one of its groups."""
    pair, found, wanted = pair_of(one.group), {}, one.wanted
    groups = {one.blue.group, one.green.group}
    for route, attribute in ROUTES.items():
        percent = round(getattr(wanted, attribute))
        listeners = frozenset((pair.get(route) or {}).get("listenerArns", ()))
        for rule, weights in rules_now(listeners).items():
            if groups & set(weights):
                found[rule] = {one.green.group: percent, one.blue.group: 100 - percent}
    return found


def _world(one: Deployment, shared: bool) -> World:
    return World(
        now=time.time(),
        blue_tasks=len(one.blue.tasks()),
        green_tasks=len(one.green.tasks()),
        green_well=sum(is_well(one.green, task) for task in one.green.running()),
        alarms=tuple(alarms_in_alarm(one.account, one.region, list(one.alarms))),
        is_shared=shared,
    )


def _call(one: Deployment, function: str, execution: str) -> None:
    """Call the function of a hook; the hook fails when there is no such function, or it fails.

    "CodeDeploy passes the deploymentId and lifecycleEventHookExecutionId parameters to the Lambda function."
    https://docs.aws.amazon.com/codedeploy/latest/userguide/tutorial-ecs-with-hooks-create-hooks.html
    """
    event = {"DeploymentId": one.id, "LifecycleEventHookExecutionId": execution}
    if problem := call(one.account, one.region, function, event):
        log.error("the function %s: %s", function, problem)
        with suppress(ClientError):  # it was answered meanwhile, or is over
            own_client("codedeploy", one.account, one.region).put_lifecycle_event_hook_execution_status(
                deploymentId=one.id, lifecycleEventHookExecutionId=execution, status="Failed"
            )
