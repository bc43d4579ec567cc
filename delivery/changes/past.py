"""What was live in an environment when, and from whom; pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pydantic import Field

from delivery.changes.archive import Happening, HistoryEntry
from delivery.changes.bad_releases import BadMark
from delivery.model import Model

GOES_LIVE = ("released", "rolled-back")
ENDS_THE_LIVE = (*GOES_LIVE, "removed")


class Who(Model):
    """Who asked for a run, and who let its release in; empty where nobody told."""

    requested_by: str = ""
    let_in_by: str = ""


class PastChange(Model):
    """One change of an environment, as people look back at it."""

    at: datetime
    app: str
    environment: str
    happening: Happening
    release: str = Field(description="its fingerprint")
    revision: str
    subject: str = ""
    author: str = Field("", description="of the commit")
    run: str
    requested_by: str = Field("", description="who started the run; empty: not known")
    let_in_by: str = Field("", description="who approved it; empty: nobody was asked, or it is not known")
    until: datetime | None = Field(None, description="of what went live: when something else did; none: it is live")
    ended: str = Field("", description="in words, how it ended")
    bad: str = Field("", description="why the release must not go live again; empty: it may")


def past_of(
    app: str,
    environment: str,
    history: Sequence[HistoryEntry],
    bad: Mapping[str, BadMark],
    who: Callable[[str], Who],
    count: int,
) -> list[PastChange]:
    """Return the newest `count` changes, the newest first; `who` is asked about the runs of these alone."""
    rows: list[PastChange] = []
    replaced: HistoryEntry | None = None
    for entry in sorted(history, key=lambda one: one.at, reverse=True)[:count]:
        rows.append(_row(app, environment, entry, replaced, bad, who(entry.run)))
        if entry.happening in ENDS_THE_LIVE:
            replaced = entry
    return rows


def _row(
    app: str,
    environment: str,
    entry: HistoryEntry,
    replaced: HistoryEntry | None,
    bad: Mapping[str, BadMark],
    who: Who,
) -> PastChange:
    release, mark = entry.release, bad.get(entry.release.fingerprint)
    was_live = entry.happening in GOES_LIVE
    return PastChange(
        at=entry.at,
        app=app,
        environment=environment,
        happening=entry.happening,
        release=release.fingerprint,
        revision=release.revision.short,
        subject=release.revision.subject,
        author=release.revision.author,
        run=entry.run,
        requested_by=who.requested_by,
        let_in_by=who.let_in_by,
        until=replaced.at if replaced and was_live else None,
        ended=_ended(entry, replaced),
        bad=mark.reason or "marked" if mark else "",
    )


def _ended(entry: HistoryEntry, replaced: HistoryEntry | None) -> str:
    match entry.happening:
        case "withdrawn":
            return "what was live before stayed"
        case "removed":
            return "the environment is gone"
        case "contracted":
            return f"the schema lost {', '.join(entry.contracted)}" if entry.contracted else "the schema shrank"
    if replaced is None:
        return "is live"
    other = replaced.release.fingerprint
    if replaced.happening == "removed":
        return "removed with the environment"
    return f"rolled back to {other}" if replaced.happening == "rolled-back" else f"replaced by {other}"
