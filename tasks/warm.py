"""Remove what stood ready to come back, when its time is over."""

from datetime import UTC, datetime, timedelta

from blocks.artifact_store import current_store
from delivery.changes.journal import Entry, Journal
from delivery.changes.lease import Lease
from delivery.errors import Transient
from delivery.ports.slots import TargetState
from delivery.releases.release import Release
from delivery.spec.app import environment_of
from tasks.environment import DRAINING_SECONDS, open_target
from tasks.known import KnownEnvironment
from tasks.lease import lease_book, left_to_do, renewed
from tasks.step import log, step


@step(
    timeout_seconds=DRAINING_SECONDS,
    retries=0,
    name="retire what {known.environment} of {known.app.app} kept",
    keep=False,
)
def retire_kept(known: KnownEnvironment, run: str) -> str | None:
    """Retire the slot that was kept for `keep_warm_seconds`; return what was done, or none when it is not time yet."""
    app, environment = known.app.app, known.environment
    if not _is_over(known) or lease_book().read(app, environment).holder is not None:
        return None
    if left_to_do(Journal(current_store(), app, environment))[0] != "nothing":
        return None
    try:
        lease = lease_book().take(app, environment, holder=run, reason="retire what is kept no longer")
    except Transient:
        return None  # somebody changes it just now, and retires it as well
    with renewed(lease):
        done = _retire(known, lease, run)
    lease_book().give_back(lease)  # not when that failed: the lease runs out and recovery finishes it
    return done


def _is_over(known: KnownEnvironment) -> bool:
    """Whether something was kept, and for long enough; where nothing is ever kept the target is not even asked."""
    seconds = environment_of(known.app, known.environment).keep_warm_seconds
    if not seconds:
        return False
    with open_target(known.app, known.environment) as target:
        state = target.observe()
    since = state.settled_at
    return state.kept is not None and since is not None and datetime.now(UTC) >= since + timedelta(seconds=seconds)


def _retire(known: KnownEnvironment, lease: Lease, run: str) -> str | None:
    journal = Journal(current_store(), lease.app, lease.environment)
    with open_target(known.app, known.environment, lease.sequence) as target:
        state = target.observe()  # once more: now nobody else changes it
        release = _settled(state)
        if release is None:
            return None
        _note(journal, lease, run, "intent", release)
        target.retire(release)
        _note(journal, lease, run, "done", release)
    log().info("%s of %s keeps no earlier release any longer", lease.environment, lease.app)
    return f"what {release.fingerprint} replaced is retired"


def _settled(state: TargetState) -> Release | None:
    return state.live.release if state.live and state.kept else None


def _note(journal: Journal, lease: Lease, run: str, stage: str, release: Release) -> None:
    fields = {"at": datetime.now(UTC), "app": lease.app, "environment": lease.environment, "sequence": lease.sequence}
    fields |= {"run": run, "verb": "retire", "stage": stage, "release": release, "detail": "kept long enough"}
    journal.write(Entry.model_validate(fields))
