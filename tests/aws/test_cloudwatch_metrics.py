"""What users were answered, as CloudWatch counts it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from delivery.aws.cloudwatch_metrics import CloudWatchMetrics
from delivery.ports.observation import SlotCounts

BLUE = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/shop-blue/2"


class CloudWatch:
    """Tells what it is given, as GetMetricData does, in two pages."""

    def __init__(self, **values: dict[int, float]) -> None:
        self.values, self.asked = values, list[dict[str, Any]]()

    def get_paginator(self, name: str) -> "CloudWatch":
        assert name == "get_metric_data"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked.append(asked)
        now, pages = datetime.now(UTC), []
        for turn in (0, 1):
            results = []
            for query in asked["MetricDataQueries"]:
                minutes = [one for one in self.values.get(query["Id"], {}) if one % 2 == turn]
                told = {"Timestamps": [now + timedelta(minutes=one) for one in minutes]}
                results.append(
                    {"Id": query["Id"], **told, "Values": [self.values[query["Id"]][one] for one in minutes]}
                )
            pages.append({"MetricDataResults": results})
        return pages


def metrics(client: CloudWatch) -> CloudWatchMetrics:
    return CloudWatchMetrics(client, "app/shop/1", {"blue": BLUE})


def test_answers_and_errors_of_a_slots_target_group_are_added_up():
    client = CloudWatch(requests={1: 100, 2: 50}, errors={2: 3}, p50={1: 0.01, 2: 0.01}, p90={1: 0.2}, p99={1: 2.0})

    seen = metrics(client).read()

    assert (seen["blue"].requests, seen["blue"].errors) == (150, 3)
    assert seen["blue"].what_failed == {"answered with 5xx": 3}
    assert seen["blue"].latency.quantile(0.5) == pytest.approx(10, rel=0.1)
    assert seen["blue"].latency.quantile(0.99) == pytest.approx(2000, rel=0.1)
    assert seen["green"] == SlotCounts()
    metric = client.asked[0]["MetricDataQueries"][0]["MetricStat"]["Metric"]
    assert {one["Name"]: one["Value"] for one in metric["Dimensions"]} == {
        "LoadBalancer": "app/shop/1",
        "TargetGroup": "targetgroup/shop-blue/2",
    }


def test_minutes_that_began_before_the_watch_are_left_out():
    client = CloudWatch(requests={-1: 100, 1: 5}, errors={-1: 7})

    assert metrics(client).read()["blue"] == SlotCounts(requests=5, errors=0)


def test_where_cloudwatch_tells_nothing_nothing_is_counted():
    assert metrics(CloudWatch()).read()["blue"] == SlotCounts()


def test_it_is_not_asked_again_within_seconds():
    client = CloudWatch(requests={1: 1})
    seen = metrics(client)

    assert seen.read() == seen.read()
    assert len(client.asked) == 1


def test_times_before_the_watch_are_those_of_the_slot():
    client = CloudWatch(requests={-5: 10}, p50={-5: 0.1}, p90={-5: 0.1}, p99={-5: 0.1})
    seen = metrics(client)
    client.values = {name: {10: value[-5]} for name, value in client.values.items()}

    assert seen.before("blue").total == 10
    assert seen.before("green").total == 0
