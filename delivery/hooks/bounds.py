"""How much of what is sent is read, how long it is waited for, and how old it may be."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from delivery.hooks.arrival import Source
from delivery.hooks.refusal import Refused

HEADER_SECONDS = 5.0
BODY_SECONDS = 10.0
MOST_CONNECTIONS = 512
HELD_BYTES = 64 * 2**20  # of bodies that are being read, all together
# What the sender itself sends at most:
# https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap (25 MB),
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html (256 KB, and as much again in quotes).
MOST_BYTES: Mapping[Source, int] = {"github": 25 * 2**20, "aws": 2**20, "registry": 2**20}
MEDIA_TYPES: Mapping[Source, tuple[str, ...]] = {
    "github": ("application/json",),
    "aws": ("text/plain", "application/json"),  # SNS calls its JSON text
    "registry": (
        "application/json",
        "application/vnd.docker.distribution.events.v1+json",
        "application/vnd.docker.distribution.events.v2+json",
    ),
}
MOST_AGE = timedelta(days=1)  # SNS tries again for an hour
AHEAD = timedelta(minutes=15)  # clocks differ


def check_media_type(source: Source, content_type: str) -> None:
    """Return when the body is said to be what `source` sends; Refused otherwise."""
    found = content_type.partition(";")[0].strip().lower()
    if found not in MEDIA_TYPES[source]:
        raise Refused(415, f"content type {MEDIA_TYPES[source][0]} is needed")


def check_length(source: Source, length: str | None) -> None:
    """Return when the body is not said to be longer than what `source` sends; Refused otherwise."""
    if length is None:
        return
    if not length.isascii() or not length.isdecimal():
        raise Refused(400, "the content length is no number")
    check_size(source, int(length))


def check_size(source: Source, size: int) -> None:
    """Return when so many bytes are not too many; Refused otherwise."""
    if size > MOST_BYTES[source]:
        raise Refused(413, f"more than {MOST_BYTES[source]} bytes")


def check_age(sent: datetime, now: datetime | None = None) -> None:
    """Return when something was sent lately; Refused otherwise."""
    now = now or datetime.now(UTC)
    if not now - MOST_AGE <= sent <= now + AHEAD:
        raise Refused(400, "it was not sent lately")
