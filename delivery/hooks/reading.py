"""JSON of strangers, read value by value: what is not as it should be is refused, and no error is let through."""

import json
from datetime import UTC, datetime
from typing import Any

from delivery.hooks.refusal import Refused

LONGEST = 1000


def object_of(body: bytes | str) -> dict[str, Any]:
    """Return a JSON object; Refused when it is none."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(read, dict):
        raise Refused(400, "the body is no JSON object")
    return read


def below(content: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the object at `path`, empty where there is none."""
    for key in path:
        found = content.get(key)
        content = found if isinstance(found, dict) else {}
    return content


def text(content: dict[str, Any], key: str, *, needed: bool = False) -> str:
    """Return a text, cut where it is long, empty where it is not there; Refused when it is `needed` and is not."""
    found = content.get(key)
    if isinstance(found, str) and found:
        # What is no Unicode could be kept in no file.
        return found[:LONGEST].encode("utf-8", errors="replace").decode()
    if needed:
        raise Refused(400, f"{key} is missing")
    return ""


def number(content: dict[str, Any], key: str) -> int:
    """Return a number; Refused when it is none."""
    found = content.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 < found < 2**53:
        raise Refused(400, f"{key} is no number")
    return found


def moment(content: dict[str, Any], key: str, *, needed: bool = False) -> datetime | None:
    """Return a time; none where there is none that can be read, Refused when it is `needed`."""
    try:
        found = datetime.fromisoformat(text(content, key, needed=needed))
    except ValueError:
        if needed:
            raise Refused(400, f"{key} is no time") from None
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
