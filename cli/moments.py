"""Moments as people type them: so long ago, in so long, or a date."""

import re
from datetime import UTC, datetime, timedelta

from delivery.errors import Misconfigured

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MOST_UNITS = 99_999  # more is a slip; a date says what is meant


def moment(text: str, option: str, now: datetime, *, ahead: bool) -> datetime:
    """Return the moment that `15m` before `now`, or after it, means, or a date; Misconfigured for anything else."""
    if found := re.fullmatch(r"(\d{1,9})([smhd])", text):
        apart = timedelta(seconds=min(int(found[1]), MOST_UNITS * 86400) * _UNITS[found[2]])
        return now + apart if ahead else now - apart
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        allowed = "30s, 15m, 2h, 1d, or a moment like 2030-12-31T10:00 (this machine's time, or with Z or +01:00)"
        raise Misconfigured(option, repr(text), allowed) from error
    return given.astimezone(UTC)
