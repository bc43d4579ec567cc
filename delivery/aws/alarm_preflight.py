"""Whether the alarms that stop a release are there, are quiet, and are heard."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors
from delivery.errors import Misconfigured

OUTPUT = "output alarms of the infrastructure"


def check_alarms(access: AwsAccess, names: Sequence[str], deployer: str) -> str:
    """Return what is known of the alarms that stop a release.

    Raises Misconfigured for one that is not there, and for one in ALARM that CodeDeploy would stop each deployment for.
    ECS does not look at alarms in a deployment that began while one was in ALARM, which is told.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
    """
    if not names:
        return "none: what is not asked by Headway is not found out"
    client = access.client("cloudwatch")
    with aws_errors("cloudwatch"):
        told = client.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    states = {one["AlarmName"]: one["StateValue"] for kind in ("MetricAlarms", "CompositeAlarms") for one in told[kind]}
    if missing := [name for name in names if name not in states]:
        raise Misconfigured(
            OUTPUT, f"there is no alarm {', '.join(missing)}", next_step="headway run makes those of the infrastructure"
        )
    loud = [name for name, state in states.items() if state == "ALARM"]
    if loud and deployer == "codedeploy":
        step = "mend what it tells of, or set stop_on_alarms: false"
        raise Misconfigured(f"alarm {loud[0]}", "is in ALARM: CodeDeploy would stop the release", "OK", step)
    parts = [f"{len(states)} stop a release"]
    parts += [f"{name} is in ALARM: ECS looks at no alarm in the next deployment" for name in loud]
    return "; ".join([*parts, *_muted(client, names)])


def _muted(client: Any, names: Sequence[str]) -> list[str]:
    try:
        found = [
            name
            for name in names
            if client.list_alarm_mute_rules(AlarmName=name, Statuses=["ACTIVE"])["AlarmMuteRuleSummaries"]
        ]
    except ClientError as error:
        return [f"whether one is muted is not known: {error}"]
    return [f"{name} is muted" for name in found]
