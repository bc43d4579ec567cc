"""When a migration that shrinks a schema may run: once nobody can want to go back to code that used what it takes."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from delivery.changes.archive import HistoryEntry
from delivery.migrations.tool import MigrationTool
from delivery.model import Model
from delivery.releases.release import Release

_LIVE = ("released", "rolled-back", "contracted")


class Split(Model):
    """What of the pending migrations is applied now, in their order, and what waits."""

    applied: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    up_to: tuple[str, ...] = Field((), description="what the tool is told to go up to, one by one; empty: to its head")
    back_to: tuple[str, ...] = Field((), description="what it is told to come back to where it was asked, one by one")


def ran(history: Sequence[HistoryEntry], replaced: datetime | None) -> frozenset[str]:
    """Return the contracts that ran on the database in use; `replaced` is when another one took its place last.

    What ran on one that was put away, or removed, need not have on what was restored.
    """
    removed = max((entry.at for entry in history if entry.happening == "removed"), default=None)
    begun = max((one for one in (removed, replaced) if one), default=None)
    return frozenset(version for entry in history if begun is None or entry.at > begun for version in entry.contracted)


def due(
    history: Sequence[HistoryEntry],
    release: Release,
    now: datetime,
    after_seconds: float,
    replaced: datetime | None = None,
) -> frozenset[str]:
    """Return the contracts of `release` that may run: for so long every live release has come with them.

    So the code before, which may use what they take, was live for the last time before that; it is no way back any
    more. `history` is that of the environment, oldest first. Those that ran already are not among them.
    """
    done = ran(history, replaced)
    return frozenset(
        version
        for version in release.contracts
        if version not in done
        and (since := _since(history, version)) is not None
        and now - since >= timedelta(seconds=after_seconds)
    )


def _since(history: Sequence[HistoryEntry], version: str) -> datetime | None:
    since = None
    for entry in reversed(history):
        if entry.happening == "removed":
            break
        if entry.happening in _LIVE:
            if version not in entry.release.contracts:
                break
            since = entry.at
    return since


def split(tool: MigrationTool, said: str, waiting: Collection[str]) -> Split:
    """Return what runs of what the tool `said` is pending: everything before the first that waits.

    What comes after it is built on it.
    """
    pending = tool.versions("pending", said)
    held = (number for number, told in enumerate(pending) if any(tool.tells(told, version) for version in waiting))
    first = next(held, len(pending))
    up_to = tool.ends(said, first) if 0 < first < len(pending) else ()
    return Split(applied=pending[:first], waiting=pending[first:], up_to=up_to, back_to=tool.now(said))
