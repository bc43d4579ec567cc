"""The agent of alarms: those on what load balancers answer are in the state that their metric says.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import math
import operator
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.cloudwatch.models import Alarm, cloudwatch_backends

from local_aws.agents.agent import Agent
from local_aws.own_client import own_client
from local_aws.pace import seconds_of
from local_aws.services.cloudwatch_traffic import NAMESPACE, datapoints

COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class AlarmAgent(Agent):
    """Evaluates alarms, as often as a second goes by."""

    every_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("alarms")

    def look(self) -> None:
        """Bring every alarm into the state that it is in."""
        for account, region, alarm in _ours():
            state, reason = evaluated(alarm, time.time())
            if state and state != alarm.state_value:
                own_client("cloudwatch", account, region).set_alarm_state(
                    AlarmName=alarm.name, StateValue=state, StateReason=reason
                )


def evaluated(alarm: Alarm, now: float) -> tuple[str, str]:
    """Return the state of an alarm and why; no state where it keeps the one it has.

    The last periods that are over are looked at; so many of them have to breach, and one without data is treated as the
    alarm says: "missing" is the default.
    """
    length, periods = seconds_of(float(alarm.period)), int(alarm.evaluation_periods)
    ended = math.floor(now / length) * length
    began = ended - periods * length
    dimensions = {str(one.name): str(one.value) for one in alarm.dimensions}
    stat = alarm.extended_statistic or alarm.statistic
    known = dict(datapoints(alarm.metric_name, dimensions, stat, float(alarm.period), began + length / 2, ended))
    breaches = [COMPARED[alarm.comparison_operator](value, float(alarm.threshold)) for value in known.values()]
    treated, missing = alarm.treat_missing_data or "missing", periods - len(known)
    needed = int(alarm.datapoints_to_alarm or periods)
    breaching = sum(breaches) + (missing if treated == "breaching" else 0)
    if breaching >= needed:
        told = ", ".join(f"{value:g}" for value in known.values()) or "no data"
        return "ALARM", f"Threshold Crossed: {breaching} datapoints [{told}] were not within {alarm.threshold:g}"
    if not known and treated == "ignore":
        return "", ""
    if not known and treated == "missing":
        return "INSUFFICIENT_DATA", "Insufficient Data: no datapoints were received"
    return "OK", f"Threshold Crossed: fewer than {needed} datapoints were breaching"


def _ours() -> Iterator[tuple[str, str, Alarm]]:
    for account, regions in list(cloudwatch_backends.items()):
        for region, backend in list(regions.items()):
            for one in list(backend.alarms.values()):
                if one.namespace == NAMESPACE and one.metric_name and one.rule is None:
                    yield account, region, one
