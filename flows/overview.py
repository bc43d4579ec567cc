"""What runs where, and who changes it: read from the targets, the leases and what runs wrote down."""

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from pydantic import Field

from delivery.changes.archive import HistoryEntry
from delivery.changes.backup_policy import BackupAges
from delivery.changes.freezes import FreezeMark
from delivery.changes.lease import Lease
from delivery.changes.past import GOES_LIVE, Who
from delivery.changes.rescans import Rescan
from delivery.changes.restores import RestoreRecord
from delivery.errors import HeadwayError
from delivery.model import Model
from delivery.ports.slots import TargetState
from delivery.releases.infrastructure import Drift
from delivery.spec.app import App, environment_of
from flows.history import who_of
from tasks.backup_ages import look_at_ages
from tasks.environment import open_target
from tasks.infrastructure import last_drift
from tasks.known import current_environments
from tasks.lease import lease_book
from tasks.marks import freeze_of
from tasks.records import archive
from tasks.rescan import last_rescan
from tasks.restores import newest_restores

LOOK_SECONDS = 15.0  # an environment that did not answer by then is told as one that does not
T = TypeVar("T")


class EnvironmentView(Model):
    """One environment as it is now."""

    app: str
    environment: str
    state: TargetState | None
    problem: str = ""
    lease: Lease
    busy: bool
    drift: Drift | None = None
    rescan: Rescan | None = Field(None, description="none: what is live was not scanned again yet")
    backups: BackupAges | None = Field(None, description="none: it has no database, or nobody asked")
    since: datetime | None = Field(None, description="when the live release went live; none: not known")
    who: Who = Who()
    frozen: FreezeMark | None = Field(None, description="none: it takes releases")
    proof: RestoreRecord | None = Field(None, description="the newest restore of a backup of it")


def environments(app: str | None = None, look_seconds: float = LOOK_SECONDS) -> list[EnvironmentView]:
    """Return every environment this platform has changed, or those of one application.

    All are looked at side by side. One that has not answered after `look_seconds` is told as such.
    """
    known = [one for one in current_environments() if app in (None, one.app.app)]
    looks = [partial(_look_at_all_of, one.app, one.environment) for one in known]
    found = within(look_seconds, looks)
    silent = f"did not answer within {look_seconds:g} s"
    return [view or _seen(one.app, one.environment, None, silent) for one, view in zip(known, found, strict=True)]


def look_at(app: App, environment: str) -> EnvironmentView:
    """Return one environment; what keeps it from being looked at is told in `problem`."""
    state, problem = None, ""
    try:
        with open_target(app, environment) as target:
            state = target.observe()
    except HeadwayError as error:
        problem = str(error)
    return _seen(app, environment, state, problem)


def within(seconds: float, calls: Sequence[Callable[[], T]]) -> list[T | None]:
    """Return what each call returned, all of them made side by side; none for one that took longer than `seconds`.

    A call that hangs is left behind: nobody waits for its thread, at the end of the process neither. What one raises is
    raised here.
    """
    results: dict[int, T] = {}
    errors: list[Exception] = []

    def make(number: int, call: Callable[[], T]) -> None:
        try:
            results[number] = call()
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(make, number, call), daemon=True)
        for number, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    return [results.get(number) for number in range(len(calls))]


def app_names() -> list[str]:
    """Return the applications this platform has delivered."""
    return sorted({one.app.app for one in current_environments()})


def _look_at_all_of(app: App, environment: str) -> EnvironmentView:
    view = look_at(app, environment)
    entry = _went_live(view)
    more: dict[str, object] = {"since": entry.at, "who": who_of(entry.run)} if entry else {}
    if app.database:
        restores = newest_restores(app.app, environment)
        more |= {"backups": look_at_ages(app, environment), "proof": restores[0] if restores else None}
    return view.model_copy(update=more)


def _went_live(view: EnvironmentView) -> HistoryEntry | None:
    """Return the entry of the history with which the live release went live last; none: there is none of it."""
    live = view.state.live.release if view.state and view.state.live else None
    entries = archive().history(view.app, view.environment)
    lives = [entry for entry in entries if entry.happening in GOES_LIVE]
    return lives[-1] if live and lives and lives[-1].release.fingerprint == live.fingerprint else None


def _seen(app: App, environment: str, state: TargetState | None, problem: str) -> EnvironmentView:
    """Return what is known of an environment without asking it, and what it said."""
    lease = lease_book().read(app.app, environment)
    return EnvironmentView(
        app=app.app,
        environment=environment,
        state=state,
        problem=problem,
        lease=lease,
        rescan=last_rescan(app.app, environment),
        busy=lease.is_held(datetime.now(UTC)),
        drift=last_drift(app.app, environment) if environment_of(app, environment).infrastructure else None,
        frozen=freeze_of(app.app, environment),
    )
