"""CloudWatch: alarms that are made of alarms.

What AWS says stands with each operation in local_aws/services/cloudwatch.py.
"""

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.xdist_group("local-aws")
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
METRIC = {"Namespace": "shop", "MetricName": "errors", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
METRIC |= {"Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold"}


@pytest.fixture(scope="module")
def cloudwatch(held):
    return held.client("cloudwatch")


@pytest.fixture
def composite(cloudwatch):
    """The name of an alarm that is made of two."""
    for name in ("first", "second"):
        cloudwatch.put_metric_alarm(AlarmName=name, **METRIC)
    rule = f'ALARM(first) OR (ALARM("{arn("second")}") AND NOT OK(first))'
    cloudwatch.put_composite_alarm(
        AlarmName="any",
        AlarmRule=rule,
        AlarmDescription="any of them",
        AlarmActions=[TOPIC],
        OKActions=[TOPIC],
        ActionsSuppressor="first",
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=30,
        Tags=[{"Key": "a", "Value": "b"}],
    )
    yield "any", rule
    for name in ("any", "first", "second"):
        cloudwatch.delete_alarms(AlarmNames=[name])


def arn(name):
    return f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"


def described(cloudwatch, name="any"):
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    return [*found["CompositeAlarms"], *found["MetricAlarms"]][0]


def error_of(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


def test_a_composite_alarm_is_told_as_it_was_given(cloudwatch, composite):
    found = described(cloudwatch)

    assert (found["AlarmRule"], found["AlarmDescription"], found["AlarmArn"]) == (
        composite[1],
        "any of them",
        arn("any"),
    )
    assert (found["AlarmActions"], found["OKActions"], found["InsufficientDataActions"]) == ([TOPIC], [TOPIC], [])
    assert (found["ActionsEnabled"], found["StateValue"]) == (True, "INSUFFICIENT_DATA")
    suppressor = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
    assert [found[name] for name in suppressor] == ["first", 60, 30]


def test_composite_alarms_are_told_when_they_are_asked_for(cloudwatch, composite):
    def names(**asked):
        found = cloudwatch.describe_alarms(**asked)
        return {kind: {one["AlarmName"] for one in found.get(kind, [])} for kind in ("MetricAlarms", "CompositeAlarms")}

    assert names()["CompositeAlarms"] == set()
    assert {"first", "second"} <= names()["MetricAlarms"]
    assert names(AlarmTypes=["CompositeAlarm"]) == {"MetricAlarms": set(), "CompositeAlarms": {"any"}}
    assert names(AlarmNames=["any", "first"], AlarmTypes=["CompositeAlarm", "MetricAlarm"]) == {
        "MetricAlarms": {"first"},
        "CompositeAlarms": {"any"},
    }


@pytest.mark.parametrize("name", ["any", "first"])
def test_an_alarm_that_is_put_again_keeps_its_state_and_its_tags(cloudwatch, composite, name):
    before = cloudwatch.list_tags_for_resource(ResourceARN=arn(name))["Tags"]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="tested")
    tags = {"Tags": [{"Key": "other", "Value": "x"}], "AlarmDescription": "changed"}

    if name == "any":
        cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule="ALARM(second)", **tags)
    else:
        cloudwatch.put_metric_alarm(AlarmName=name, **METRIC, **tags)

    found = described(cloudwatch, name)
    assert (found["StateValue"], found["StateReason"], found["AlarmDescription"]) == ("ALARM", "tested", "changed")
    assert found.get("AlarmRule") == ("ALARM(second)" if name == "any" else None)
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn(name))["Tags"] == before


def test_tags_of_a_composite_alarm_are_changed(cloudwatch, composite):
    cloudwatch.tag_resource(ResourceARN=arn("any"), Tags=[{"Key": "c", "Value": "d"}])
    cloudwatch.untag_resource(ResourceARN=arn("any"), TagKeys=["a"])

    assert cloudwatch.list_tags_for_resource(ResourceARN=arn("any"))["Tags"] == [{"Key": "c", "Value": "d"}]


def test_an_alarm_of_which_another_is_made_stays_until_that_one_is_gone(cloudwatch, composite):
    for name in ("first", "second"):
        assert error_of(cloudwatch.delete_alarms, AlarmNames=[name]) == "ValidationError"

    cloudwatch.delete_alarms(AlarmNames=["first", "any", "second"])

    found = cloudwatch.describe_alarms(
        AlarmNames=["any", "first", "second"], AlarmTypes=["CompositeAlarm", "MetricAlarm"]
    )
    assert (found["CompositeAlarms"], found["MetricAlarms"]) == ([], [])
    cloudwatch.put_metric_alarm(AlarmName="any", **METRIC)
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn("any"))["Tags"] == []


def test_two_composite_alarms_are_not_deleted_at_once(cloudwatch, composite):
    cloudwatch.put_composite_alarm(AlarmName="other", AlarmRule="ALARM(first)")

    assert error_of(cloudwatch.delete_alarms, AlarmNames=["any", "other"]) == "ValidationError"

    cloudwatch.delete_alarms(AlarmNames=["other"])


def test_a_rule_about_an_alarm_that_is_not_there_is_refused(cloudwatch):
    refused = error_of(cloudwatch.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(none) OR TRUE")

    assert refused == "ValidationError"
    assert cloudwatch.describe_alarms(AlarmNames=["x"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []
