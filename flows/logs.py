"""What runs in an environment, as it speaks of itself."""

from collections.abc import Iterator

from delivery.ports.logs import LogLine, LogWish
from tasks.logs import lines

__all__ = ["LogLine", "LogWish", "read"]


def read(app: str, environment: str, wish: LogWish) -> Iterator[LogLine]:
    """Yield what a part of the environment printed, secrets masked; Misconfigured when there is no such part."""
    return lines(app, environment, wish)
