"""Who sends webhooks: GitHub, SNS and registries as they do it, with keys of their own."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

SHA, OLD = "1" * 40, "2" * 40
SNS_HOST = "sns.eu-west-1." + "amazonaws" + ".com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
CERTIFICATE_URL = f"https://{SNS_HOST}/SimpleNotificationService-0123456789abcdef.pem"


def push(**more: Any) -> dict[str, Any]:
    """Return what GitHub says of a push to main."""
    said = {
        "ref": "refs/heads/main",
        "before": OLD,
        "after": SHA,
        "created": False,
        "deleted": False,
        "forced": False,
        "repository": {"full_name": "acme/shop"},
        "sender": {"login": "ada[bot]"},
        "head_commit": {"id": SHA, "message": "Sell more\n\nMuch more.", "timestamp": "2026-05-01T12:00:00+02:00"},
    }
    return said | more


def pull_request(head: str | None = "acme/shop", **more: Any) -> dict[str, Any]:
    """Return what GitHub says of a pull request for main, from a branch of the repository `head`."""
    said = {
        "action": "opened",
        "number": 7,
        "pull_request": {
            "title": "Sell more",
            "updated_at": "2026-05-01T12:00:00Z",
            "head": {"sha": SHA, "ref": "more", "repo": {"full_name": head} if head else None},
            "base": {"sha": OLD, "ref": "main", "repo": {"full_name": "acme/shop"}},
        },
        "repository": {"full_name": "acme/shop"},
    }
    return said | more


def workflow_run(**more: Any) -> dict[str, Any]:
    """Return what GitHub says of a workflow that succeeded for a push to main."""
    run = {
        "name": "CI",
        "head_branch": "main",
        "head_sha": SHA,
        "event": "push",
        "conclusion": "success",
        "head_repository": {"full_name": "acme/shop"},
        "updated_at": "2026-05-01T12:00:00Z",
    }
    return {"action": "completed", "workflow_run": run | more, "repository": {"full_name": "acme/shop"}}


def signed(secret: str, content: Any, event: str = "push", delivery: str = "") -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a webhook as GitHub signs it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery or str(uuid4()),
        "x-hub-signature-256": f"sha256={mac}",
    }


def pushed_image(identity: str = "", repository: str = "acme/shop") -> dict[str, Any]:
    """Return the notification of an image that was pushed."""
    target = {"repository": repository, "digest": f"sha256:{'a' * 64}", "tag": "1.2"}
    event = {"id": identity or str(uuid4()), "action": "push", "timestamp": "2026-05-01T12:00:00Z", "target": target}
    return {"events": [event]}


def alarm(state: str = "ALARM", name: str = "shop-5xx", at: str = "2026-05-01T12:00:00.000+0000") -> dict[str, Any]:
    """Return what CloudWatch says of an alarm."""
    return {
        "AlarmName": name,
        "NewStateValue": state,
        "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": at,
    }


@dataclass
class Sns:
    """Amazon SNS: signs as version 1 or 2, with a key of its own."""

    version: str = "2"
    key: rsa.RSAPrivateKey = field(default_factory=lambda: _key("sns"))
    days: int = 365

    @property
    def certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SNS_HOST)])
        began = datetime.now(UTC) - timedelta(days=400)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        builder = (
            builder.serial_number(1).not_valid_before(began).not_valid_after(began + timedelta(days=400 + self.days))
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def notification(self, message: Any, **more: str) -> dict[str, str]:
        """Return a message as it is sent, signed."""
        said = {
            "Type": "Notification",
            "MessageId": str(uuid4()),
            "TopicArn": TOPIC,
            "Message": message if isinstance(message, str) else json.dumps(message),
            "Timestamp": datetime.now(UTC).isoformat(),
        }
        return self.sign(said | more, ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"))

    def subscription(self, **more: str) -> dict[str, str]:
        """Return the question whether a subscription shall be confirmed, signed."""
        said = {
            "Type": "SubscriptionConfirmation",
            "MessageId": str(uuid4()),
            "Token": "token",
            "TopicArn": TOPIC,
            "Message": "You have chosen to subscribe",
            "SubscribeURL": f"https://{SNS_HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=token",
            "Timestamp": datetime.now(UTC).isoformat(),
        }
        names = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
        return self.sign(said | more, names)

    def sign(self, said: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
        text = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
        digest = hashes.SHA1() if self.version == "1" else hashes.SHA256()
        signature = base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()
        return {
            "SignatureVersion": self.version,
            "SigningCertURL": CERTIFICATE_URL,
            **said,
            "Signature": signature,
        }


@cache
def _key(_: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def other_key() -> rsa.RSAPrivateKey:
    """Return the key of somebody who is not SNS."""
    return _key("other")
