"""What users of both slots were answered, as CloudWatch counts it by target group.

Its shortest period for a load balancer is a minute, which is told when it is over: a watch that is shorter sees nothing
here, and goes by Headway's own questions. Response times come as percentiles, so a histogram made of them is right at
those alone.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from delivery.aws.failures import aws_errors
from delivery.ports.latency import LatencyHistogram, bucket_of
from delivery.ports.observation import SlotCounts
from delivery.ports.slots import COLOURS, Colour

NAMESPACE, PERIOD_SECONDS = "AWS/ApplicationELB", 60
READ_SECONDS = 5.0  # nothing new comes sooner, and each read is paid for
BEFORE = timedelta(minutes=15)
COUNTS = {"requests": "RequestCount", "errors": "HTTPCode_Target_5XX_Count"}
# Percentile → the share of requests that counts as having taken so long.
PERCENTILES = {"p50": 0.5, "p90": 0.4, "p99": 0.1}


class CloudWatchMetrics:
    """Counts since this was opened, of the target group that each slot's tasks are in."""

    def __init__(self, client: Any, balancer: str, groups: Mapping[Colour, str]) -> None:
        self._client, self._balancer, self._groups = client, balancer, groups
        self._opened = datetime.now(UTC)
        self._read: Mapping[Colour, SlotCounts] = {colour: SlotCounts() for colour in COLOURS}
        self._read_at: float | None = None

    def read(self) -> Mapping[Colour, SlotCounts]:
        """Return the counts of the whole minutes since then; Transient when CloudWatch does not answer."""
        if self._read_at is None or time.monotonic() > self._read_at + READ_SECONDS:
            self._read = {colour: self._counts(colour) for colour in COLOURS}
            self._read_at = time.monotonic()
        return self._read

    def before(self, colour: Colour) -> LatencyHistogram:
        """Return a slot's response times in the quarter of an hour before this was opened."""
        if colour not in self._groups:
            return LatencyHistogram()
        return _histogram(self._ask(colour, self._opened - BEFORE, self._opened))

    def close(self) -> None:
        """Nothing is open."""

    def _counts(self, colour: Colour) -> SlotCounts:
        if colour not in self._groups:
            return SlotCounts()
        found = self._ask(colour, self._opened, datetime.now(UTC))
        requests, errors = (round(sum(found[name].values())) for name in COUNTS)
        failed = {"answered with 5xx": errors} if errors else {}
        return SlotCounts(requests=requests, errors=errors, what_failed=failed, latency=_histogram(found))

    def _ask(self, colour: Colour, began: datetime, ended: datetime) -> dict[str, dict[datetime, float]]:
        """Return name → moment → value, of the minutes that began after `began`."""
        asked = {name: (metric, "Sum") for name, metric in COUNTS.items()}
        asked |= {name: ("TargetResponseTime", name) for name in PERCENTILES}
        queries = [self._query(name, metric, stat, self._groups[colour]) for name, (metric, stat) in asked.items()]
        found: dict[str, dict[datetime, float]] = {name: {} for name in asked}
        with aws_errors("cloudwatch"):
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=began,
                EndTime=max(ended, began + timedelta(seconds=1)),
                ScanBy="TimestampAscending",
            )
            for page in pages:
                for one in page["MetricDataResults"]:
                    told = zip(one["Timestamps"], one["Values"], strict=True)
                    found[one["Id"]] |= {moment: value for moment, value in told if moment >= began}
        return found

    def _query(self, name: str, metric: str, stat: str, group: str) -> dict[str, Any]:
        dimensions = {"LoadBalancer": self._balancer, "TargetGroup": group.rpartition(":")[2]}
        told = {
            "Namespace": NAMESPACE,
            "MetricName": metric,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        }
        return {"Id": name, "MetricStat": {"Metric": told, "Period": PERIOD_SECONDS, "Stat": stat}}


def _histogram(found: Mapping[str, Mapping[datetime, float]]) -> LatencyHistogram:
    counts = Counter[int]()
    for moment, requests in found["requests"].items():
        for name, share in PERCENTILES.items():
            if (seconds := found[name].get(moment)) is not None:
                counts[bucket_of(1000 * seconds)] += round(requests * share)
    return LatencyHistogram(counts=dict(+counts))
