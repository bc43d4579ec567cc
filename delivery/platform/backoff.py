"""When to try again what keeps failing."""

from collections.abc import Callable

MOST_SECONDS = 30.0
STEADY_SECONDS = 30.0


class Backoff:
    """At once the first time, then after 1, 2, 4 ... 30 s; what has been well for 30 s begins anew."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tries = 0
        self._last = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether it may be tried now."""
        pause = min(MOST_SECONDS, 2.0 ** (self._tries - 1)) if self._tries else 0
        return self._now() - self._last >= pause

    def tried(self) -> None:
        """Count a try."""
        self._tries += 1
        self._last = self._now()

    def is_well(self) -> None:
        """Note that nothing has to be tried just now."""
        if self._now() - self._last >= STEADY_SECONDS:
            self._tries = 0
