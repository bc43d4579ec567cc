"""When a migration that shrinks a schema may run: once nobody can want to go back to code that used what it takes."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from delivery.changes.archive import HistoryEntry
from delivery.model import Model
from delivery.releases.release import Release

_LIVE = ("released", "rolled-back", "contracted")


class Split(Model):
    """What of the pending migrations is applied now, in their order, and what waits."""

    applied: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def up_to(self) -> str:
        """The last version that is applied, as its tool calls it; empty when all are, or none."""
        return version_of(self.applied[-1]) if self.waiting and self.applied else ""


def version_of(told: str) -> str:
    """Return the version of what a tool tells, which is followed by its description."""
    return told.partition(" ")[0]


def due(history: Sequence[HistoryEntry], release: Release, now: datetime, after_seconds: float) -> frozenset[str]:
    """Return the contracts of `release` that may run: for so long every live release has come with them.

    So the code before, which may use what they take, was live for the last time before that; it is no way back any
    more. `history` is that of the environment, oldest first. Those that ran already are not among them.
    """
    ran = {version for entry in history for version in entry.contracted}
    return frozenset(
        version
        for version in release.contracts
        if version not in ran
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


def split(pending: Sequence[str], waiting: Collection[str]) -> Split:
    """Return what runs of `pending`: everything before the first that waits; what comes after it is built on it."""
    for number, told in enumerate(pending):
        if version_of(told) in waiting:
            return Split(applied=tuple(pending[:number]), waiting=tuple(pending[number:]))
    return Split(applied=tuple(pending))
