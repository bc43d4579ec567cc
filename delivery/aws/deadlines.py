"""How long something may take as a whole, whatever of it takes the time."""

import time
from dataclasses import dataclass, field

from delivery.errors import Rejected


@dataclass(frozen=True)
class Deadline:
    """A time that begins with it; `seconds` are all that there is."""

    seconds: float
    _begun: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Return how many seconds are left; Rejected when none is."""
        rest = self.seconds - (time.monotonic() - self._begun)
        if rest <= 0:
            raise Rejected(self.told)
        return rest

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() - self._begun >= self.seconds

    @property
    def told(self) -> str:
        """What is said of what it ended."""
        return f"ended at its deadline of {self.seconds:g} s"
