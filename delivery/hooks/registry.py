"""Notifications of an image registry: whether the sender knows the secret, and what was pushed.

https://distribution.github.io/distribution/about/notifications/
"""

import hmac
from typing import Any

from pydantic import SecretStr

from delivery.hooks.arrival import Happening
from delivery.hooks.reading import below, moment, text
from delivery.hooks.refusal import Refused

MOST_EVENTS = 100


def check_bearer(secret: SecretStr, given: str) -> None:
    """Return when the header holds the secret; Refused otherwise, after the same time whatever differs."""
    wanted = f"Bearer {secret.get_secret_value()}".encode()
    if not hmac.compare_digest(wanted, given.encode("utf-8", errors="replace")):
        raise Refused(401, "the secret is not that of this connection")


def read(content: dict[str, Any]) -> list[tuple[str, Happening]]:
    """Return what was pushed, each with the id of its event; Refused when it is not as a registry sends it."""
    events = content.get("events")
    if not isinstance(events, list) or len(events) > MOST_EVENTS or not all(isinstance(one, dict) for one in events):
        raise Refused(400, f"events is no list of at most {MOST_EVENTS} objects")
    return [
        (text(event, "id", needed=True), _pushed(event, below(event, "target")))
        for event in events
        if event.get("action") == "push" and "repository" in below(event, "target")
    ]


def _pushed(event: dict[str, Any], target: dict[str, Any]) -> Happening:
    return Happening(
        kind="image",
        repository=text(target, "repository", needed=True),
        sha=text(target, "digest"),
        action="push",
        subject=text(target, "tag"),
        at=moment(event, "timestamp"),
    )
