"""Messages of SNS: signed by SNS itself, for a topic of ours, lately; whatever else is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from delivery.hooks import aws
from delivery.hooks.refusal import Refused
from delivery.hooks.sns import Message, check_certificate_url, is_topic
from tests.support.senders import SNS_HOST, TOPIC, Sns, alarm, other_key


def received(content: dict[str, Any], certificate: bytes) -> Message:
    message = Message.of(content, (TOPIC,))
    message.check(certificate)
    return message


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": "ALARM: shop-5xx"}], ids=["plain", "with a subject"])
def test_what_sns_signed_is_believed(version: str, more: dict[str, str]) -> None:
    sns = Sns(version)
    message = received(sns.notification(alarm(), **more), sns.certificate)
    assert [one.subject for one in aws.read(message.message)] == ["shop-5xx"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_subscription_is_believed_as_a_notification_is(version: str) -> None:
    sns = Sns(version)
    assert received(sns.subscription(), sns.certificate).subscribe_url.startswith(f"https://{SNS_HOST}/?Action=")


@pytest.mark.parametrize("key", ["Message", "MessageId", "Timestamp"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_what_was_changed_on_the_way_is_refused(key: str, version: str) -> None:
    sns = Sns(version)
    changed = sns.notification(alarm()) | {key: datetime.now(UTC).isoformat()}
    with pytest.raises(Refused, match="not that of SNS"):
        received(changed, sns.certificate)


def test_a_subject_that_was_added_on_the_way_is_refused() -> None:
    sns = Sns()
    with pytest.raises(Refused, match="not that of SNS"):
        received(sns.notification(alarm()) | {"Subject": "more"}, sns.certificate)


def test_what_somebody_else_signed_is_refused() -> None:
    with pytest.raises(Refused, match="not that of SNS"):
        received(Sns(key=other_key()).notification(alarm()), Sns().certificate)


def test_version_one_does_not_pass_for_version_two() -> None:
    content = Sns("1").notification(alarm()) | {"SignatureVersion": "2"}
    with pytest.raises(Refused, match="not that of SNS"):
        received(content, Sns().certificate)


def test_a_certificate_whose_time_is_over_proves_nothing() -> None:
    sns = Sns(days=-1)
    with pytest.raises(Refused, match="not one of now"):
        received(sns.notification(alarm()), sns.certificate)


@pytest.mark.parametrize("certificate", [b"", b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_proves_nothing(certificate: bytes) -> None:
    with pytest.raises(Refused) as refused:
        received(Sns().notification(alarm()), certificate)
    assert refused.value.status == 401


def test_a_topic_of_anybody_else_is_refused_although_sns_signed_it() -> None:
    content = Sns().notification(alarm(), TopicArn="arn:aws:sns:eu-west-1:666666666666:alarms")
    with pytest.raises(Refused, match="the topic is not that of this connection"):
        Message.of(content, (TOPIC,))


@pytest.mark.parametrize("age", [timedelta(days=1, minutes=1), timedelta(minutes=-16)])
def test_what_was_not_sent_lately_is_refused(age: timedelta) -> None:
    content = Sns().notification(alarm(), Timestamp=(datetime.now(UTC) - age).isoformat())
    with pytest.raises(Refused, match="not sent lately"):
        Message.of(content, (TOPIC,))


@pytest.mark.parametrize(
    "url",
    [
        f"http://{SNS_HOST}/SimpleNotificationService-0.pem",
        "https://evil.example/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST}.evil.example/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST}@evil.example/SimpleNotificationService-0.pem",
        f"https://evil@{SNS_HOST}/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST}:444/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST}/SimpleNotificationService-0.pem?x",
        f"https://{SNS_HOST}/SimpleNotificationService-0.pem#x",
        f"https://{SNS_HOST}/other/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST}/SimpleNotificationService-0.pem.evil",
        f"https://{SNS_HOST.replace('sns.', 's3.')}/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST.replace('eu-west-1', 'us-east-1')}/SimpleNotificationService-0.pem",
        f"https://bucket.{SNS_HOST}/SimpleNotificationService-0.pem",
        f"https://{SNS_HOST}\\@evil.example/SimpleNotificationService-0.pem",
        "https://[/SimpleNotificationService-0.pem",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_fetched(url: str) -> None:
    with pytest.raises(Refused):
        check_certificate_url(url, TOPIC)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription&TopicArn=" + TOPIC,
        f"https://{SNS_HOST}/?Action=DeleteTopic&TopicArn={TOPIC}",
        f"https://{SNS_HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}x",
    ],
)
def test_a_subscription_asks_for_nothing_else_than_its_confirmation(url: str) -> None:
    with pytest.raises(Refused, match="address of the subscription"):
        Message.of(Sns().subscription(SubscribeURL=url), (TOPIC,))


@pytest.mark.parametrize(
    "wrong", [{"Type": "Other"}, {"SignatureVersion": "3"}, {"Signature": "%"}, {"Message": "x" * 400_000}]
)
def test_what_sns_would_not_send_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Refused):
        Message.of(Sns().notification(alarm()) | wrong, (TOPIC,))


@pytest.mark.parametrize(
    ("arn", "is_one"), [(TOPIC, True), (f"{TOPIC}.fifo", True), ("alarms", False), (TOPIC.replace("sns", "sqs"), False)]
)
def test_a_topic_is_known_by_its_arn(arn: str, is_one: bool) -> None:
    assert is_topic(arn) is is_one
