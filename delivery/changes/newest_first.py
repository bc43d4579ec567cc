"""Names under which a store, which lists in order of name, lists the newest first."""

from datetime import UTC, datetime

LAST_MICROSECOND = 9_999_999_999_999_999  # in the year 2286


def newest_first(at: datetime) -> str:
    """Return the beginning of a name: of two moments the later one comes first; the moment itself can be read in it."""
    before_the_end = LAST_MICROSECOND - round(at.timestamp() * 1_000_000)
    return f"{before_the_end:016d}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
