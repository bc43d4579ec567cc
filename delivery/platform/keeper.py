"""What looks after the platform: it restores what is missing, again and again, with pauses when that fails.

Nothing in its memory matters: killed at any moment and started again, it finds the same things to do.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from delivery.full_disk import storage_trouble
from delivery.home import Home
from delivery.platform.backoff import Backoff


@dataclass(frozen=True)
class Duty:
    """Something that shall be there.

    `restore` begins to bring it back, does not wait for it, and says what it did, or nothing when that is known.
    """

    name: str
    is_missing: Callable[[], bool]
    restore: Callable[[], str]
    rounds: int = 1  # it is looked at every so many rounds
    paces_itself: bool = False  # it is about several things, each with pauses of its own


def say(text: str) -> None:
    """Write a line to the keeper's log; a disk without room for it does not end the keeper."""
    with contextlib.suppress(OSError):
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}", file=sys.stderr, flush=True)


class Keeper:
    """Looks at each of its duties, round after round, for as long as the platform shall run."""

    def __init__(
        self,
        home: Home,
        duties: Sequence[Duty],
        *,
        now: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = say,
    ) -> None:
        self.home, self.duties, self.say = home, duties, say
        self._backoffs = {duty.name: Backoff(now) for duty in duties}
        self._said: dict[str, str] = {}
        self._round = 0

    def round(self) -> None:
        """Restore what is missing and may be tried now; a duty that fails keeps no other from being looked at."""
        for duty in self.duties:
            if not self.home.up.exists():  # `headway down` came in between
                return
            if self._round % duty.rounds == 0:
                self._tend(duty)
        self._round += 1

    def _tend(self, duty: Duty) -> None:
        backoff = self._backoffs[duty.name]
        try:
            if not duty.is_missing():
                backoff.is_well()
                self._said.pop(duty.name, None)
            elif duty.paces_itself or backoff.is_due:
                backoff.tried()
                self._say(duty, duty.restore())
        except Exception as error:
            self._say(duty, str(storage_trouble(error, self.home) or f"{type(error).__name__}: {error}"))

    def _say(self, duty: Duty, text: str) -> None:
        """Log what is new; the same thing again says nothing."""
        if text and text != self._said.get(duty.name):
            self._said[duty.name] = text
            self.say(f"{duty.name}: {text}")
