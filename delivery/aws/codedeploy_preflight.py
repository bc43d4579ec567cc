"""Whether CodeDeploy can move a service's traffic so that Headway decides when: its group, its waits and its hook.

https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BlueGreenDeploymentConfiguration.html
"""

import math
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors, code_of
from delivery.aws.service_ways import ServiceWay, Ways
from delivery.errors import Misconfigured

OUTPUT = "output service of the infrastructure"
MISSING = ("ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException")


def check_group(access: AwsAccess, ways: Ways, way: ServiceWay, kept_seconds: float) -> str:
    """Return how the deployment group of a service waits; Misconfigured when a release would go on by itself in it."""
    if not ways.application:
        raise Misconfigured(f"{OUTPUT}: codedeploy_app", "is not told", "the name of CodeDeploy's application")
    told = _group(access, ways.application, way.deployment_group)
    where = f"deployment group {way.deployment_group} of {ways.application}"
    options = told.get("blueGreenDeploymentConfiguration") or {}
    ready = (options.get("deploymentReadyOption") or {}).get("actionOnTimeout")
    if ready != "STOP_DEPLOYMENT":
        raise Misconfigured(
            f"{where}: deploymentReadyOption", f"{ready}: users get a release unasked", "STOP_DEPLOYMENT"
        )
    minutes = (options.get("terminateBlueInstancesOnDeploymentSuccess") or {}).get("terminationWaitTimeInMinutes") or 0
    if minutes * 60 < kept_seconds:
        raise Misconfigured(
            f"{where}: terminationWaitTimeInMinutes",
            f"{minutes}, and keep_warm_seconds is {kept_seconds:g}",
            f"{math.ceil(kept_seconds / 60)} or more",
        )
    pairs = (told.get("loadBalancerInfo") or {}).get("targetGroupPairInfoList") or []
    names = {one["name"] for pair in pairs for one in pair.get("targetGroups", ())}
    expected = {arn.rsplit("/", 2)[1] for arn in way.groups}
    if names != expected:
        raise Misconfigured(f"{where}: target groups", ", ".join(sorted(names)) or "none", ", ".join(sorted(expected)))
    return f"waits for users, and {minutes} minutes before the old tasks go"


def check_hook(access: AwsAccess, ways: Ways) -> str:
    """Return where hooks are told; Misconfigured when nobody would hear of them, so that each deployment goes back."""
    if not ways.hook:
        raise Misconfigured(f"{OUTPUT}: codedeploy_hook", "is not told", "the function of infra/aws/relay")
    if not ways.queue:
        raise Misconfigured(
            f"{OUTPUT}: codedeploy_queue", "is not told", "the URL of the queue that the relay writes to"
        )
    with aws_errors("sqs"):
        try:
            access.client("sqs").get_queue_attributes(QueueUrl=ways.queue, AttributeNames=["QueueArn"])
        except ClientError as error:
            if not code_of(error).endswith(("NonExistentQueue", "QueueDoesNotExist")):
                raise
            raise Misconfigured(f"{OUTPUT}: codedeploy_queue", f"there is no {ways.queue}") from error
    return f"told on {ways.queue.rpartition('/')[2]}"


def _group(access: AwsAccess, application: str, name: str) -> Mapping[str, Any]:
    with aws_errors("codedeploy"):
        try:
            found = access.client("codedeploy").get_deployment_group(
                applicationName=application, deploymentGroupName=name
            )
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
            step = "headway run applies the infrastructure"
            raise Misconfigured(f"deployment group {name} of {application}", "is not there", next_step=step) from error
    return dict(found["deploymentGroupInfo"])
