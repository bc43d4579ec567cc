"""CloudWatch: alarms, and those that are made of alarms, as they were put."""

import re
from collections.abc import Iterable
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from local_aws.services.errors import Refusal

_NAMED = re.compile(r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"([^\"]+)\"|'([^']+)'|([^\"'()]+?))\s*\)")
# Members of a composite alarm that moto leaves out.
SUPPRESSION = (
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
    "ActionConfiguration",
)
# What of an alarm is not its configuration.
STATE = ("history", "state_reason", "state_reason_data", "state_value", "state_updated_timestamp")
_put, _describe = CloudWatchResponse.put_metric_alarm, CloudWatchResponse.describe_alarms


def put_composite_alarm(self: CloudWatchResponse) -> EmptyResult:
    """Keep an alarm with its rule: "When you update an existing alarm, its state is left unchanged, but the update
    completely overwrites the previous configuration of the alarm."

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
    """
    backend, asked = self.cloudwatch_backend, self.params
    missing = [name for name in named_in(asked["AlarmRule"]) if name not in backend.alarms]
    if missing:
        raise Refusal(
            "ValidationError",
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist",
        )
    put_metric_alarm(self)
    kept = vars(backend.alarms[asked["AlarmName"]])
    kept |= {"alarm_rule": asked["AlarmRule"]} | {name: asked[name] for name in SUPPRESSION if name in asked}
    return EmptyResult()


def put_metric_alarm(self: CloudWatchResponse) -> EmptyResult:
    """Keep an alarm: "When this operation creates an alarm, the alarm state is immediately set to INSUFFICIENT_DATA."
    "If you are using this operation to update an existing alarm, any tags you specify in this parameter are ignored."

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    backend, asked = self.cloudwatch_backend, self.params
    before = backend.alarms.get(asked["AlarmName"])
    if before is not None:
        asked.pop("Tags", None)
    _put(self)
    kept = vars(backend.alarms[asked["AlarmName"]])
    if before is None:
        kept["state_value"] = "INSUFFICIENT_DATA"
    else:
        kept |= {name: vars(before)[name] for name in STATE}
    return EmptyResult()


def describe_alarms(self: CloudWatchResponse) -> ActionResult:
    """Return alarms of the kinds that are asked for: "If you omit this parameter, only metric alarms are returned, even
    if composite alarms or log alarms exist in the account."

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    kinds = self.params.get("AlarmTypes") or ["MetricAlarm"]
    found: dict[str, Any] = _describe(self).result  # type: ignore[assignment]
    return ActionResult({f"{kind}s": found[f"{kind}s"] for kind in kinds if f"{kind}s" in found})


def delete_alarms(self: CloudWatchResponse) -> EmptyResult:
    """Remove alarms with their tags: "you can't delete two composite alarms with one operation", and none that a
    composite alarm is made of.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
    """
    backend, names = self.cloudwatch_backend, list(self.params.get("AlarmNames", []))
    asked = [backend.alarms[name] for name in names if name in backend.alarms]
    if sum(one.rule is not None for one in asked) > 1:
        raise Refusal("ValidationError", "Only one composite alarm can be deleted at a time.")
    for alarm in asked:
        if alarm.name in _named_by_others(backend, names):
            raise Refusal(
                "ValidationError", f"Cannot delete {alarm.name} as there are composite alarm(s) depending on it."
            )
    for alarm in asked:
        backend.tagger.delete_all_tags_for_resource(alarm.alarm_arn)
    backend.delete_alarms(names)
    return EmptyResult()


def alarms_in_alarm(account: str, region: str, names: Iterable[str]) -> list[str]:
    """Return those of the named alarms that are in ALARM now."""
    kept = cloudwatch_backends[account][region].alarms
    return [name for name in names if name in kept and vars(kept[name])["state_value"] == "ALARM"]


def named_in(rule: str) -> list[str]:
    """Return the names of the alarms that a rule is about; an ARN names one as well."""
    named = [next(part for part in found if part) for found in _NAMED.findall(rule)]
    return [name.partition(":alarm:")[2] or name for name in named]


def _named_by_others(backend: CloudWatchBackend, names: list[str]) -> set[str]:
    others: list[Alarm] = [one for one in backend.alarms.values() if one.rule is not None and one.name not in names]
    return {name for one in others for name in named_in(str(one.rule))}


def add() -> None:
    """Put ours in place of moto's, or beside them."""
    for operation in (put_composite_alarm, put_metric_alarm, describe_alarms, delete_alarms):
        setattr(CloudWatchResponse, operation.__name__, operation)
