"""What AWS tells: alarms, objects and images, in the shapes of its own documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from delivery.hooks import aws
from delivery.hooks.refusal import Refused
from tests.support.senders import alarm

OBJECTS = {
    "Records": [
        {
            "eventSource": "aws:s3",
            "eventTime": "2026-05-01T12:00:00.000Z",
            "eventName": name,
            "s3": {"bucket": {"name": "shop"}, "object": {"key": "some+folder/%C3%BC.csv", "eTag": "e"}},
        }
        for name in ("ObjectCreated:Put", "ObjectRemoved:Delete")
    ]
}
ALARM_EVENT = {
    "source": "aws.cloudwatch",
    "detail-type": "CloudWatch Alarm State Change",
    "time": "2026-05-01T12:00:00Z",
    "detail": {"alarmName": "shop-5xx", "state": {"value": "ALARM", "reason": "Threshold Crossed"}},
}
IMAGE_EVENT = {
    "source": "aws.ecr",
    "detail-type": "ECR Image Action",
    "time": "2026-05-01T12:00:00Z",
    "detail": {
        "result": "SUCCESS",
        "repository-name": "acme/shop",
        "image-digest": "sha256:" + "a" * 64,
        "action-type": "PUSH",
        "image-tag": "1.2",
    },
}


def seen(content: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.action, one.repository, one.subject) for one in aws.read(json.dumps(content))]


def test_an_alarm_is_read_with_its_time() -> None:
    (found,) = aws.read(json.dumps(alarm(at="2026-05-01T12:00:00.123+0000")))
    assert (found.kind, found.action, found.subject, found.reason) == (
        "alarm",
        "ALARM",
        "shop-5xx",
        "Threshold Crossed",
    )
    assert found.at == datetime(2026, 5, 1, 12, 0, 0, 123000, UTC)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ALARM_EVENT, [("alarm", "ALARM", "", "shop-5xx")]),
        (OBJECTS, [("object", "created", "shop", "some folder/ü.csv")]),
        (IMAGE_EVENT, [("image", "push", "acme/shop", "1.2")]),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent"}, []),
        ({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}, []),
    ],
    ids=["alarm by EventBridge", "objects", "image", "test of S3", "something else"],
)
def test_each_shape_is_read(content: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    assert seen(content) == expected


def test_an_object_told_by_eventbridge_is_the_same_as_one_told_by_s3() -> None:
    detail = {"bucket": {"name": "shop"}, "object": {"key": "some folder/ü.csv", "etag": "e"}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": "2026-05-01T12:00:00Z", "detail": detail}
    assert aws.read(json.dumps(event)) == aws.read(json.dumps(OBJECTS))


@pytest.mark.parametrize("changed", [{"result": "FAILURE"}, {"action-type": "DELETE"}])
def test_an_image_that_was_not_pushed_is_none(changed: dict[str, str]) -> None:
    assert seen(IMAGE_EVENT | {"detail": {**IMAGE_EVENT["detail"], **changed}}) == []  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "message", ["", "[]", "hello", '{"Records": [7]}', '{"AlarmName": 7, "NewStateValue": "ALARM"}']
)
def test_what_aws_would_not_say_is_refused(message: str) -> None:
    with pytest.raises(Refused) as refused:
        aws.read(message)
    assert refused.value.status == 400
