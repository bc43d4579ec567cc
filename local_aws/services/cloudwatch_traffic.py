"""What load balancers answered, as CloudWatch's metrics tell it: each answer is kept, and counted by the minute of AWS.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

import bisect
import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_aws.pace import seconds_of
from local_aws.services.elbv2 import HEALTH

NAMESPACE = "AWS/ApplicationELB"
MOST_KEPT = 200_000
_data = CloudWatchResponse.get_metric_data


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: of which load balancer and target group, as metrics name them; none of the latter: its own."""

    at: float
    balancer: str
    group: str
    status: int
    seconds: float


class Answers:
    """All answers of some time, in the order of their moments: a window of them costs what is in it."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._seen: list[Seen] = []
        self._changing = threading.Lock()

    def append(self, one: Seen) -> None:
        """Keep one; the older half is forgotten once there are too many."""
        with self._changing:
            at = bisect.bisect_right(self._moments, one.at)
            self._moments.insert(at, one.at)
            self._seen.insert(at, one)
            if len(self._seen) > MOST_KEPT:
                del self._moments[: MOST_KEPT // 2], self._seen[: MOST_KEPT // 2]

    def between(self, began: float, ended: float) -> list[Seen]:
        """Return those from one moment on, and before another one."""
        with self._changing:
            first, last = (bisect.bisect_left(self._moments, moment) for moment in (began, ended))
            return self._seen[first:last]

    def clear(self) -> None:
        """Forget all."""
        with self._changing:
            self._moments.clear()
            self._seen.clear()


ANSWERS = Answers()


def values_in(metric: str, dimensions: Mapping[str, str], began: float, ended: float) -> list[float]:
    """Return the values of a metric between two moments, one for each answer; for counts a one."""
    balancer, group = dimensions.get("LoadBalancer"), dimensions.get("TargetGroup")
    if metric == "UnHealthyHostCount":
        return [float(_unhealthy(group))] if group and ended > time.time() - seconds_of(120) else []
    return [
        one.seconds if metric == "TargetResponseTime" else 1.0
        for one in ANSWERS.between(began, ended)
        if one.balancer == balancer and (not group or one.group == group) and _is_counted(metric, one)
    ]


def statistic(values: list[float], name: str) -> float:
    """Return what a statistic makes of values, of which there is one at least."""
    match name:
        case "Sum":
            return sum(values)
        case "SampleCount":
            return float(len(values))
        case "Average":
            return sum(values) / len(values)
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
        case _:
            share = float(name.removeprefix("p")) / 100
            return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def datapoints(
    metric: str, dimensions: Mapping[str, str], stat: str, period: float, began: float, ended: float
) -> Iterator[tuple[float, float]]:
    """Yield moment and value of each period of AWS that is over, and has a value; the oldest first."""
    length = seconds_of(period)
    moment = math.floor(began / length) * length
    while moment + length <= min(ended, time.time()):
        if values := values_in(metric, dimensions, moment, moment + length):
            yield moment, statistic(values, stat)
        moment += length


def get_metric_data(self: CloudWatchResponse) -> ActionResult:
    """Return what load balancers answered, and for all else what was put: "You can use the GetMetricData API to
    retrieve CloudWatch metric values."

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    """
    asked = self.params
    ours = [one for one in asked["MetricDataQueries"] if _is_ours(one)]
    if not ours:
        return _data(self)
    began, ended = (_seconds(asked[name]) for name in ("StartTime", "EndTime"))
    results = []
    for one in ours:
        stat, metric = one["MetricStat"], one["MetricStat"]["Metric"]
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
        found = list(datapoints(metric["MetricName"], dimensions, stat["Stat"], stat["Period"], began, ended))
        results.append(
            {
                "Id": one["Id"],
                "Label": one.get("Label") or metric["MetricName"],
                "StatusCode": "Complete",
                "Timestamps": [datetime.fromtimestamp(moment, UTC) for moment, _ in found],
                "Values": [value for _, value in found],
            }
        )
    return ActionResult({"MetricDataResults": results, "Messages": []})


def list_alarm_mute_rules(_: CloudWatchResponse) -> ActionResult:
    """Return that no alarm is muted: nobody can do that here."""
    return ActionResult({"AlarmMuteRuleSummaries": []})


def _is_ours(query: Mapping[str, Any]) -> bool:
    return bool((query.get("MetricStat") or {}).get("Metric", {}).get("Namespace") == NAMESPACE)


def _is_counted(metric: str, one: Seen) -> bool:
    """Whether an answer counts: those of targets and those of the load balancer itself are told apart."""
    if metric in ("RequestCount", "TargetResponseTime"):
        return bool(one.group)
    kind, _, code = metric.removeprefix("HTTPCode_").partition("_")
    return code.startswith(f"{one.status // 100}XX") and (kind == "Target") == bool(one.group)


def _unhealthy(group: str) -> int:
    return sum(state.state == "unhealthy" for (arn, _, _), state in list(HEALTH.items()) if arn.endswith(group))


def _seconds(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def add() -> None:
    """Put them in place of moto's, or beside them."""
    CloudWatchResponse.get_metric_data = get_metric_data  # type: ignore[method-assign]
    CloudWatchResponse.list_alarm_mute_rules = list_alarm_mute_rules  # type: ignore[attr-defined]
