"""Releases that must not go live again: who said so and why; kept for good, and the newest word counts."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from secrets import token_hex

from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model
from delivery.ports.store import Store
from delivery.releases.release import Release, Revision


class ReleaseMarkedBad(Rejected):
    """Somebody said that the release must not go live again."""

    gate = "bad release"


class BadMark(Model):
    """One word of somebody about a release: it is bad, or it is not any more."""

    at: datetime
    release: Release
    bad: bool = Field(True, description="false: whatever was said before is over")
    by: str
    reason: str = ""

    def describe(self) -> str:
        """Say which release it is, and who marked it when and why."""
        revision = self.release.revision
        what = f"release {self.release.fingerprint} ({revision.short} {revision.subject})"
        return f"{what} was marked bad by {self.by} at {self.at:%Y-%m-%d %H:%M} UTC: {self.reason}"


class BadReleases:
    """What was said of the releases of one application, one object each."""

    def __init__(self, store: Store, app: str) -> None:
        self.store, self.app = store, app

    def add(self, mark: BadMark) -> None:
        """Append `mark`."""
        moment = mark.at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        key = f"bad-releases/{self.app}/{moment}-{mark.release.fingerprint}-{token_hex(2)}.json"
        self.store.put(key, mark.model_dump_json(indent=2).encode())

    def all(self) -> list[BadMark]:
        """Return everything that was said, oldest first."""
        folder = f"bad-releases/{self.app}"
        return [BadMark.model_validate_json(self.store.get(key)) for key in self.store.keys(folder)]

    def current(self) -> dict[str, BadMark]:
        """Return fingerprint → the mark of every release that is bad now."""
        return bad_now(self.all())


def bad_now(marks: Iterable[BadMark]) -> dict[str, BadMark]:
    """Return fingerprint → the mark of every release whose last word is that it is bad; `marks` are in order."""
    last = {mark.release.fingerprint: mark for mark in marks}
    return {fingerprint: mark for fingerprint, mark in last.items() if mark.bad}


def check_not_bad(bad: Mapping[str, BadMark], release: Release) -> None:
    """Return where nobody marked the release; Rejected with who did, why, and what may be done."""
    if mark := bad.get(release.fingerprint):
        raise _refused(mark)


def check_not_made_of_bad(bad: Mapping[str, BadMark], revision: Revision, configuration: str) -> None:
    """Return unless the files and the configuration are those of a bad release; then Rejected, before it is built.

    A build need not give equal images twice, so that the fingerprint alone would let it in again.
    """
    for mark in bad.values():
        if mark.release.revision.has_files_of(revision) and mark.release.configuration_hash == configuration:
            raise _refused(mark)


def _refused(mark: BadMark) -> ReleaseMarkedBad:
    fingerprint = mark.release.fingerprint
    return ReleaseMarkedBad(
        f"{mark.describe()}\n  next: deliver a revision that mends it; or headway bad {fingerprint} --lift"
    )


def marked(release: Release, *, bad: bool, by: str, reason: str) -> BadMark:
    """Return a mark of this moment."""
    return BadMark(at=datetime.now(UTC), release=release, bad=bad, by=by, reason=reason)
