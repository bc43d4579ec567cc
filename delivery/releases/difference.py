"""What tells two releases apart: images, commits, migrations, configuration, findings and sizes; never a value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from delivery.model import Model
from delivery.releases.change import Commit
from delivery.releases.migrations import same_migrations
from delivery.releases.release import Evidence, Release
from delivery.spec.app import App

How = Literal["added", "removed", "changed", "same"]


class Side(Model):
    """One of the two."""

    asked: str = Field(description="as it was named: an environment or a release")
    release: str = Field(description="its fingerprint")
    revision: str
    subject: str = ""
    author: str = ""


class ImageDifference(Model):
    """One image of both."""

    name: str
    how: How
    old: str = Field("", description="its digest; empty: there was none")
    new: str = ""
    old_bytes: int | None = Field(None, description="none: not known")
    new_bytes: int | None = None


class KeyDifference(Model):
    """A key of headway.yaml that is not the same; what stands behind it is not told."""

    key: str
    how: How


class ReleaseDifference(Model):
    """Everything that tells two releases apart."""

    app: str
    old: Side
    new: Side
    images: tuple[ImageDifference, ...] = ()
    commits: tuple[Commit, ...] | None = Field(None, description="newest first; none: no repository here has them")
    migrations: bool = Field(False, description="whether their migrations differ")
    applied: tuple[str, ...] = Field((), description="migrations that a rehearsal of the way applied")
    contracts: tuple[str, ...] = Field((), description="migrations of the new one alone that shrink the schema")
    keys: tuple[KeyDifference, ...] = ()
    new_findings: tuple[str, ...] | None = Field(None, description="none: not known of one of them")
    gone_findings: tuple[str, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether they are the same release."""
        return self.old.release == self.new.release


class Known(NamedTuple):
    """A release with what is kept of it."""

    asked: str
    app: App
    release: Release
    evidence: Sequence[Evidence] = ()


def differ(
    old: Known, new: Known, commits: tuple[Commit, ...] | None = None, applied: tuple[str, ...] = ()
) -> ReleaseDifference:
    """Return what tells `new` apart from `old`."""
    before, after = _findings(old.evidence), _findings(new.evidence)
    known = before is not None and after is not None
    return ReleaseDifference(
        app=new.release.app,
        old=_side(old),
        new=_side(new),
        images=tuple(_images(old, new)),
        commits=commits,
        migrations=not same_migrations(new.app, old.release, new.release),
        applied=applied,
        contracts=tuple(one for one in new.release.contracts if one not in old.release.contracts),
        keys=tuple(_keys(old.app, new.app)),
        new_findings=tuple(sorted((after or set()) - (before or set()))) if known else None,
        gone_findings=tuple(sorted((before or set()) - (after or set()))) if known else None,
    )


def _side(known: Known) -> Side:
    revision = known.release.revision
    return Side(
        asked=known.asked,
        release=known.release.fingerprint,
        revision=revision.sha,
        subject=revision.subject,
        author=revision.author,
    )


def _images(old: Known, new: Known) -> Iterator[ImageDifference]:
    old_sizes, new_sizes = _sizes(old.evidence), _sizes(new.evidence)
    for name in dict.fromkeys([*old.release.images, *new.release.images]):
        before, after = old.release.images.get(name), new.release.images.get(name)
        how: How = "added" if before is None else "removed" if after is None else "changed"
        if before and after and before.digest == after.digest:
            how = "same"
        yield ImageDifference(
            name=name,
            how=how,
            old=before.digest if before else "",
            new=after.digest if after else "",
            old_bytes=old_sizes.get(name),
            new_bytes=new_sizes.get(name),
        )


def _keys(old: App, new: App) -> Iterator[KeyDifference]:
    before = dict(_flat(old.model_dump(mode="json")))
    after = dict(_flat(new.model_dump(mode="json")))
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            yield KeyDifference(key=key, how="added")
        elif key not in after:
            yield KeyDifference(key=key, how="removed")
        elif before[key] != after[key]:
            yield KeyDifference(key=key, how="changed")


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key that leads to a value which holds no others."""
    if isinstance(value, Mapping) and value:
        for name, one in value.items():
            yield from _flat(one, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        for number, one in enumerate(value):
            yield from _flat(one, f"{key}[{number}]")
    elif value not in ({}, [], None):
        yield key, value


def _findings(evidence: Sequence[Evidence]) -> set[str] | None:
    """Return what scans found, a line each; none where that is not known."""
    scans = {one.details["image"]: one for one in evidence if one.kind == "scan" and "findings" in one.details}
    if not scans:
        return None
    return {
        " ".join(filter(None, (image, one["severity"], one["id"], one["package"], one["version"])))
        for image, scan in scans.items()
        for one in scan.details["findings"]
    }


def _sizes(evidence: Sequence[Evidence]) -> dict[str, int]:
    told = {one.details.get("image"): one.details.get("size_bytes") for one in evidence if one.kind == "scan"}
    return {name: size for name, size in told.items() if name and size}
