"""What AWS tells through SNS: alarms of CloudWatch, objects in S3, images in ECR; directly or by EventBridge."""

import re
from typing import Any
from urllib.parse import unquote_plus

from delivery.hooks.arrival import Happening
from delivery.hooks.reading import below, moment, object_of, text
from delivery.hooks.refusal import Refused

MOST_RECORDS = 100


def read(message: str) -> list[Happening]:
    """Return what a message says; none of what nothing follows from. Refused when it is no JSON object."""
    content = object_of(message)
    if "AlarmName" in content:
        return [_alarm(content)]
    if isinstance(content.get("Records"), list):
        return _objects(content["Records"])
    match text(content, "source"), text(content, "detail-type"):
        case "aws.cloudwatch", "CloudWatch Alarm State Change":
            return [_alarm_of_event(content)]
        case "aws.s3", "Object Created":
            return [_object(below(content, "detail"), content, "time")]
        case "aws.ecr", "ECR Image Action":
            return _image(content)
    return []


def _alarm(content: dict[str, Any]) -> Happening:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html."""
    return Happening(
        kind="alarm",
        action=text(content, "NewStateValue", needed=True),
        subject=text(content, "AlarmName", needed=True),
        reason=text(content, "NewStateReason"),
        at=moment({"at": _with_colon(text(content, "StateChangeTime"))}, "at"),
    )


def _with_colon(moment: str) -> str:
    """Return a time with its offset as Python 3.11 reads it; CloudWatch writes +0000."""
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", moment)


def _alarm_of_event(content: dict[str, Any]) -> Happening:
    detail = below(content, "detail")
    return Happening(
        kind="alarm",
        action=text(below(detail, "state"), "value", needed=True),
        subject=text(detail, "alarmName", needed=True),
        reason=text(below(detail, "state"), "reason"),
        at=moment(content, "time"),
    )


def _objects(records: list[Any]) -> list[Happening]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    if len(records) > MOST_RECORDS or not all(isinstance(record, dict) for record in records):
        raise Refused(400, f"Records is no list of at most {MOST_RECORDS} objects")
    return [
        _object(below(record, "s3"), record, "eventTime", quoted=True)
        for record in records
        if text(record, "eventSource") == "aws:s3" and text(record, "eventName").startswith("ObjectCreated")
    ]


def _object(detail: dict[str, Any], around: dict[str, Any], when: str, *, quoted: bool = False) -> Happening:
    key = text(below(detail, "object"), "key", needed=True)
    return Happening(
        kind="object",
        repository=text(below(detail, "bucket"), "name", needed=True),
        subject=unquote_plus(key) if quoted else key,
        sha=text(below(detail, "object"), "eTag") or text(below(detail, "object"), "etag"),
        action="created",
        at=moment(around, when),
    )


def _image(content: dict[str, Any]) -> list[Happening]:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html."""
    detail = below(content, "detail")
    if text(detail, "action-type") != "PUSH" or text(detail, "result") != "SUCCESS":
        return []
    pushed = Happening(
        kind="image",
        repository=text(detail, "repository-name", needed=True),
        sha=text(detail, "image-digest"),
        subject=text(detail, "image-tag"),
        action="push",
        at=moment(content, "time"),
    )
    return [pushed]
