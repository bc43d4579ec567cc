"""Freezes: for how long an environment takes no release, who said so and why; kept for good, and the newest counts."""

from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_hex

from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model
from delivery.ports.store import Store

FOREVER = datetime.max.replace(tzinfo=UTC)


class EnvironmentFrozen(Rejected):
    """Somebody froze the environment."""

    gate = "freeze"


class FreezeMark(Model):
    """One word of somebody: from now on frozen, or free again."""

    at: datetime
    app: str
    environment: str | None = Field(None, description="none: every environment of the application")
    frozen: bool = Field(True, description="false: whatever was said before is over")
    until: datetime | None = Field(None, description="when it ends by itself; none: when somebody says so")
    by: str
    reason: str = ""

    def describe(self) -> str:
        """Say since when, for how long, by whom and why it is frozen."""
        end = f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        scope = "" if self.environment else ", as every environment of the application"
        return f"frozen{end} by {self.by} since {self.at:%Y-%m-%d %H:%M} UTC{scope}: {self.reason}"


class Freezes:
    """What was said of the environments of one application, one object each."""

    def __init__(self, store: Store, app: str) -> None:
        self.store, self.app = store, app

    def add(self, mark: FreezeMark) -> None:
        """Append `mark`."""
        moment = mark.at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self.store.put(f"freezes/{self.app}/{moment}-{token_hex(2)}.json", mark.model_dump_json(indent=2).encode())

    def all(self) -> list[FreezeMark]:
        """Return everything that was said, oldest first."""
        return [FreezeMark.model_validate_json(self.store.get(key)) for key in self.store.keys(f"freezes/{self.app}")]


def frozen_by(marks: Iterable[FreezeMark], environment: str, now: datetime) -> FreezeMark | None:
    """Return what freezes the environment at `now`, of several the one that lasts longest; none: it is free.

    `marks` are in order. A freeze takes the place of the one before of equal reach; who frees the environment, or all
    of them, ends both.
    """
    held: dict[str | None, FreezeMark] = {}
    for mark in marks:
        if mark.environment not in (None, environment):
            continue
        if mark.frozen:
            held[mark.environment] = mark
        else:
            held.clear()
    lasting = [mark for mark in held.values() if (mark.until or FOREVER) > now]
    return max(lasting, key=lambda mark: mark.until or FOREVER, default=None)


def check_free(marks: Iterable[FreezeMark], app: str, environment: str, now: datetime, *, goes_back: bool) -> None:
    """Return where nothing freezes the environment; Rejected with who froze it, why, and what may be done."""
    mark = frozen_by(marks, environment, now)
    if mark is None:
        return
    thaw = f"headway thaw {environment} --app {app}"
    ways = f"headway rollback --although-frozen, or {thaw}" if goes_back else thaw
    allowed = "after its end, or a rollback that says so" if mark.until else "a rollback that says so"
    raise EnvironmentFrozen(f"{environment} of {app} is {mark.describe()}; allowed: {allowed}\n  next: {ways}")
