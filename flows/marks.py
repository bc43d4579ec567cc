"""Freeze environments, and mark releases that must not go live again."""

from datetime import datetime

from delivery.changes.bad_releases import BadMark
from delivery.changes.freezes import FreezeMark
from delivery.model import Model
from tasks.known import current_environments
from tasks.lease import lease_book
from tasks.marks import freeze_of, say_bad, say_frozen, where_live


class Marked(Model):
    """A release that was marked, and where it takes traffic nevertheless."""

    mark: BadMark
    live_in: tuple[str, ...] = ()


class Frozen(Model):
    """What was said of an environment or all of them, and who changes one of them just now."""

    mark: FreezeMark
    still_frozen: tuple[FreezeMark, ...] = ()
    under_way: tuple[str, ...] = ()


def environments_of(app: str) -> tuple[str, ...]:
    """Return the environments that the application's file had when it was last delivered; none: it never was."""
    known = [one.app for one in current_environments() if one.app.app == app]
    return tuple(dict.fromkeys(name for described in known for name in described.environments))


def freeze(app: str, environment: str | None, *, by: str, reason: str, until: datetime | None, now: datetime) -> Frozen:
    """Freeze an environment, or each of the application; a run that changes one of them goes on, and is told."""
    mark = say_frozen(app, environment, frozen=True, by=by, reason=reason, until=until)
    leases = [lease_book().read(app, name) for name in ([environment] if environment else environments_of(app))]
    return Frozen(mark=mark, under_way=tuple(lease.describe() for lease in leases if lease.is_held(now)))


def thaw(app: str, environment: str | None, *, by: str, reason: str) -> Frozen:
    """Free an environment, or each of the application, whatever froze it."""
    return Frozen(mark=say_frozen(app, environment, frozen=False, by=by, reason=reason))


def frozen_now(app: str, environments: tuple[str, ...]) -> dict[str, FreezeMark]:
    """Return environment → what freezes it, for those that are frozen."""
    return {name: mark for name in environments if (mark := freeze_of(app, name))}


def mark_bad(app: str, release: str, *, bad: bool, by: str, reason: str) -> Marked:
    """Mark a release so that it goes live nowhere again, or take the mark away; Misconfigured when there is none."""
    mark = say_bad(app, release, bad=bad, by=by, reason=reason)
    return Marked(mark=mark, live_in=where_live(app, mark.release) if bad else ())
