"""What load balancers answered as CloudWatch tells it, and alarms on it; nothing is started.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from types import SimpleNamespace

import pytest

from local_aws.agents import alarms
from local_aws.agents.alarms import evaluated
from local_aws.agents.answers import seen_in
from local_aws.pace import VARIABLE
from local_aws.services import cloudwatch_traffic
from local_aws.services.cloudwatch_traffic import ANSWERS, Answers, Seen, datapoints, statistic

BALANCER, GROUP = "app/shop/1", "targetgroup/shop-blue/2"
OF_GROUP = {"LoadBalancer": BALANCER, "TargetGroup": GROUP}
NOW = 6000.0


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch):
    """A minute of AWS is a minute here, it is NOW, and nothing was answered yet."""
    monkeypatch.setenv(VARIABLE, "60")
    monkeypatch.setattr(cloudwatch_traffic.time, "time", lambda: NOW)
    ANSWERS.clear()
    yield
    ANSWERS.clear()


def answered(minute: int, *statuses: int, seconds: float = 0.1, group: str = GROUP) -> None:
    """Let answers come in the minute that began so many minutes ago."""
    for number, status in enumerate(statuses):
        ANSWERS.append(Seen(NOW - 60 * minute + number, BALANCER, group, status, seconds))


def values(metric: str, stat: str = "Sum", **dimensions: str) -> list[float]:
    return [value for _, value in datapoints(metric, dimensions or OF_GROUP, stat, 60, NOW - 600, NOW)]


def test_answers_of_targets_are_counted_by_the_minute_and_by_their_kind():
    answered(3, 200, 200, 500)
    answered(1, 200, 404)

    assert values("RequestCount") == [3, 2]
    assert values("HTTPCode_Target_5XX_Count") == [1]
    assert values("HTTPCode_Target_4XX_Count") == [1]
    assert values("RequestCount", LoadBalancer=BALANCER) == [3, 2]
    assert values("RequestCount", LoadBalancer="app/other/1") == []


def test_what_the_load_balancer_answers_itself_is_told_apart():
    answered(1, 503, group="")

    assert values("HTTPCode_ELB_5XX_Count", LoadBalancer=BALANCER) == [1]
    assert values("HTTPCode_Target_5XX_Count", LoadBalancer=BALANCER) == []
    assert values("RequestCount", LoadBalancer=BALANCER) == []


def test_a_minute_that_is_not_over_is_not_told():
    ANSWERS.append(Seen(NOW, BALANCER, GROUP, 200, 0.1))

    assert values("RequestCount") == []


@pytest.mark.parametrize(("name", "value"), [("p50", 0.2), ("p95", 0.4), ("Average", 0.25), ("Maximum", 0.4)])
def test_times_have_percentiles(name, value):
    assert statistic([0.1, 0.2, 0.3, 0.4], name) == pytest.approx(value)


def alarm(**given):
    dimensions = [SimpleNamespace(name=key, value=value) for key, value in OF_GROUP.items()]
    told = {
        "metric_name": "HTTPCode_Target_5XX_Count",
        "dimensions": dimensions,
        "statistic": "Sum",
        "extended_statistic": None,
        "period": 60,
        "evaluation_periods": 2,
        "datapoints_to_alarm": None,
        "threshold": 1,
        "comparison_operator": "GreaterThanThreshold",
        "treat_missing_data": "notBreaching",
    }
    return SimpleNamespace(**{**told, **given})


@pytest.mark.parametrize(
    ("given", "minutes", "state"),
    [
        ({}, {2: (500, 500), 1: (500, 500)}, "ALARM"),
        ({}, {1: (500, 500)}, "OK"),
        ({"datapoints_to_alarm": 1}, {1: (500, 500)}, "ALARM"),
        ({}, {}, "OK"),
        ({"treat_missing_data": "missing"}, {}, "INSUFFICIENT_DATA"),
        ({"treat_missing_data": "breaching"}, {}, "ALARM"),
        ({"treat_missing_data": "ignore"}, {}, ""),
        ({}, {4: (500, 500), 3: (500, 500)}, "OK"),
    ],
)
def test_an_alarm_is_in_the_state_that_its_last_minutes_say(given, minutes, state):
    for minute, statuses in minutes.items():
        answered(minute, *statuses)

    assert evaluated(alarm(**given), NOW)[0] == state


def test_an_alarm_on_times_goes_by_its_percentile():
    answered(2, 200, 200, seconds=3.0)
    answered(1, 200, 200, seconds=3.0)

    state, reason = evaluated(alarm(metric_name="TargetResponseTime", extended_statistic="p95"), NOW)

    assert (state, reason) == ("ALARM", "Threshold Crossed: 2 datapoints [3, 3] were not within 1")
    assert alarms.COMPARED["LessThanThreshold"](1, 2)


def test_a_line_of_a_load_balancer_is_read_and_another_is_not():
    said = b"<134>Nov 30 03:00:00 haproxy[8]: answered app/shop/1 targetgroup/shop-blue/2 10.0.0.2-8000 500 1234"

    assert seen_in(said, 5.0) == Seen(5.0, BALANCER, GROUP, 500, 1.234)
    assert seen_in(said.replace(b"10.0.0.2-8000", b"<NOSRV>"), 5.0) == Seen(5.0, BALANCER, "", 500, 1.234)
    assert seen_in(said.replace(b" 500 1234", b" -1 -1"), 5.0) is None
    assert seen_in(b"<134>Nov 30 03:00:00 haproxy[8]: Proxy port-80 started.", 5.0) is None


def test_answers_that_come_late_are_counted_in_their_time_and_old_ones_forgotten(monkeypatch):
    monkeypatch.setattr("local_aws.services.cloudwatch_traffic.MOST_KEPT", 4)
    answers = Answers()
    for moment in (1.0, 2.0, 4.0, 3.0):
        answers.append(Seen(moment, BALANCER, GROUP, 200, 0.1))

    assert [one.at for one in answers.between(2.0, 4.0)] == [2.0, 3.0]
    answers.append(Seen(5.0, BALANCER, GROUP, 200, 0.1))
    assert [one.at for one in answers.between(0.0, 9.0)] == [3.0, 4.0, 5.0]
