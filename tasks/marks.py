"""What people said of environments and releases: frozen ones take no release, bad ones go nowhere again."""

from collections.abc import Iterable
from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.bad_releases import BadMark, BadReleases, check_not_bad, check_not_made_of_bad, marked
from delivery.changes.freezes import FreezeMark, Freezes, check_free, frozen_by
from delivery.errors import Misconfigured
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.configuration import configuration_hash
from tasks.known import current_environments
from tasks.step import log, step


@step(timeout_seconds=60, name="see whether {environment} may get {release.fingerprint}", keep=False)
def check_may_go_live(order: Order, environment: str, release: Release, although_frozen: bool = False) -> None:
    """Return when the environment is not frozen and the release not bad; Rejected with who said so and why.

    It is asked under the lease, before anything is changed: while the run waited somebody may have said so.
    """
    check_not_bad(BadReleases(current_store(), order.app.app).current(), release)
    check_not_frozen(order.app.app, [environment], goes_back=order.goes_back, although=although_frozen)


def check_may_begin(order: Order) -> None:
    """Return when no environment on the way is frozen and nobody marked bad what these files make; Rejected else."""
    bad = BadReleases(current_store(), order.app.app).current()
    check_not_made_of_bad(bad, order.revision, configuration_hash(order.app, order.environment))
    check_not_frozen(order.app.app, (*order.stops, order.environment))


def check_not_frozen(app: str, environments: Iterable[str], *, goes_back: bool = False, although: bool = False) -> None:
    """Return when none of the environments is frozen; Rejected with who froze it and why, unless `although` is on."""
    marks, now = Freezes(current_store(), app).all(), datetime.now(UTC)
    for environment in environments:
        if although and (mark := frozen_by(marks, environment, now)):
            log().warning("%s is %s; it is gone back all the same", environment, mark.describe())
        else:
            check_free(marks, app, environment, now, goes_back=goes_back)


def bad_releases(app: str) -> dict[str, BadMark]:
    """Return fingerprint → the mark of every release of the application that is bad now."""
    return BadReleases(current_store(), app).current()


def freeze_of(app: str, environment: str) -> FreezeMark | None:
    """Return what freezes the environment now; none: it is free."""
    return frozen_by(Freezes(current_store(), app).all(), environment, datetime.now(UTC))


def say_frozen(
    app: str, environment: str | None, *, frozen: bool, by: str, reason: str, until: datetime | None = None
) -> FreezeMark:
    """Keep that an environment, or each of the application, is frozen or free from now on."""
    fields = {"at": datetime.now(UTC), "app": app, "environment": environment, "frozen": frozen, "by": by}
    mark = FreezeMark.model_validate(fields | {"reason": reason, "until": until})
    Freezes(current_store(), app).add(mark)
    return mark


def say_bad(app: str, release: str, *, bad: bool, by: str, reason: str) -> BadMark:
    """Keep that a release is bad, or is not any more; Misconfigured when there is no such release, or no such mark."""
    _, found = Archive(current_store()).release(app, release)
    book = BadReleases(current_store(), app)
    if not bad and found.fingerprint not in (known := book.current()):
        raise Misconfigured(f"release {release} of {app}", "is not marked bad", ", ".join(known) or "none is")
    mark = marked(found, bad=bad, by=by, reason=reason)
    book.add(mark)
    return mark


def where_live(app: str, release: Release) -> tuple[str, ...]:
    """Return the environments whose history says that this release is what went live there last."""
    archive, found = Archive(current_store()), []
    for one in current_environments():
        if one.app.app == app:
            lives = [entry for entry in archive.history(app, one.environment) if entry.happening in LIVE]
            if lives and lives[-1].release.fingerprint == release.fingerprint:
                found.append(one.environment)
    return tuple(found)


LIVE = ("released", "rolled-back")
