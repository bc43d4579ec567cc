"""Messages of Amazon SNS: who may have signed one, what exactly was signed, and whether it was.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from delivery.hooks.bounds import check_age
from delivery.hooks.reading import moment, text
from delivery.hooks.refusal import Refused
from delivery.model import Model

_HOST = re.compile(r"sns\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]+\.pem")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
LONGEST = 300_000

Type = Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]


class Message(Model):
    """What SNS sent, before anything of it is believed."""

    type: Type
    identity: str
    topic: str
    sent: datetime
    message: str
    certificate_url: str
    subscribe_url: str
    version: Literal["1", "2"]
    signature: bytes
    signed: bytes

    @classmethod
    def of(cls, content: dict[str, Any], topics: tuple[str, ...], now: datetime | None = None) -> "Message":
        """Return the message; Refused when SNS would not send it, or not for one of `topics`, or not lately.

        That it is signed is proof of nothing else than that it came through SNS, where anybody may have a topic.
        """
        kind, topic = text(content, "Type", needed=True), text(content, "TopicArn", needed=True)
        if kind not in _SIGNED or text(content, "SignatureVersion") not in ("1", "2"):
            raise Refused(400, "it is no message of SNS")
        if topic not in topics:
            raise Refused(401, "the topic is not that of this connection")
        sent = moment(content, "Timestamp", needed=True)
        assert sent is not None
        check_age(sent, now)
        url, subscribe = text(content, "SigningCertURL", needed=True), text(content, "SubscribeURL")
        check_certificate_url(url, topic)
        if kind == "SubscriptionConfirmation":
            _check_subscribe_url(subscribe, topic)
        return cls(
            type=kind,
            identity=text(content, "MessageId", needed=True),
            topic=topic,
            sent=sent,
            message=_whole(content, "Message"),
            certificate_url=url,
            subscribe_url=subscribe,
            version=text(content, "SignatureVersion"),
            signature=_decoded(text(content, "Signature", needed=True)),
            signed=_signed(content, _SIGNED[kind]),
        )

    def check(self, certificate: bytes, now: datetime | None = None) -> None:
        """Return when the certificate's key signed it, within the certificate's time; Refused otherwise."""
        now = now or datetime.now(UTC)
        try:
            found = x509.load_pem_x509_certificate(certificate)
            key = found.public_key()
        except ValueError:
            raise Refused(401, "the signing certificate cannot be read") from None
        if not isinstance(key, rsa.RSAPublicKey) or not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise Refused(401, "the signing certificate is not one of now")
        digest = hashes.SHA1() if self.version == "1" else hashes.SHA256()  # noqa: S303 - what version 1 is
        try:
            key.verify(self.signature, self.signed, padding.PKCS1v15(), digest)
        except InvalidSignature:
            raise Refused(401, "the signature is not that of SNS") from None


def is_topic(arn: str) -> bool:
    """Whether it is the ARN of a topic."""
    return _TOPIC.fullmatch(arn) is not None


def check_certificate_url(url: str, topic: str) -> None:
    """Return when the certificate comes from SNS itself, in the topic's region; Refused otherwise."""
    parts = _of_sns(url, topic)
    if parts is None or parts.query or parts.fragment or not _CERTIFICATE.fullmatch(parts.path):
        raise Refused(401, "the signing certificate is not one of SNS")


def _check_subscribe_url(url: str, topic: str) -> None:
    parts = _of_sns(url, topic)
    asked = parse_qs(parts.query) if parts else {}
    if asked.get("Action") != ["ConfirmSubscription"] or asked.get("TopicArn") != [topic]:
        raise Refused(401, "the address of the subscription is not one of SNS")


def _of_sns(url: str, topic: str) -> Any:
    """Return the parts of a URL of SNS in the topic's region, or none."""
    try:
        parts = urlsplit(url)
        netloc_is_host = parts.netloc == parts.hostname  # no port, no user
    except ValueError:
        return None
    host, arn = _HOST.fullmatch(parts.netloc), _TOPIC.fullmatch(topic)
    same_region = host and arn and host["region"] == arn["region"]
    return parts if parts.scheme == "https" and netloc_is_host and same_region else None


def _signed(content: dict[str, Any], names: tuple[str, ...]) -> bytes:
    """Return what SNS signs: names and values, each on a line, of those that are there."""
    return "".join(f"{name}\n{_whole(content, name)}\n" for name in names if name in content).encode(
        "utf-8", errors="replace"
    )


def _whole(content: dict[str, Any], name: str) -> str:
    found = content.get(name)
    if not isinstance(found, str) or len(found) > LONGEST:
        raise Refused(400, f"{name} is no text")
    return found


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(401, "the signature is not that of SNS") from None
