"""What restores show, kept in the history of their environment and held against its limits."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from prefect.task_engine import TaskRunTimeoutError

from blocks.artifact_store import current_store
from delivery.changes.restores import RestoreHistory, RestoreKind, RestoreRecord, figures_of, held_to_limits
from delivery.errors import HeadwayError, Misconfigured, Rejected
from delivery.ports.backups import BackupProof, Restored
from delivery.ports.drills import Drill
from delivery.spec.app import App, environment_of
from delivery.spec.beside_database import left_behind
from tasks.known import current_environments
from tasks.step import is_tried_again, log

Keep = Callable[[BackupProof | Drill | Restored], RestoreRecord]


@contextmanager
def recording(app: App, environment: str, run: str, kind: RestoreKind, **more: str) -> Iterator[Keep]:
    """Yield what keeps how a restore went; where an error ends it before, that is kept as its failure.

    An attempt after which another one comes is none, and neither is a restore that could not be asked for so.
    """
    fields: dict[str, Any] = {"app": app.app, "environment": environment, "run": run, "kind": kind, **more}
    kept: list[RestoreRecord] = []

    def add(told: dict[str, Any]) -> RestoreRecord:
        record = RestoreRecord.model_validate(fields | {"at": datetime.now(UTC)} | told)
        kept.append(held_to_limits(record, environment_of(app, environment).backups.drill))
        RestoreHistory(current_store(), app.app, environment).add(kept[-1])
        return kept[-1]

    try:
        yield lambda shown: add(figures_of(shown))
    except Exception as error:
        was_not_begun = kind == "restore" and isinstance(error, Misconfigured)
        if not kept and not was_not_begun and not is_tried_again(error):
            try:
                add({"outcome": "fail", "problems": (str(error) or type(error).__name__,)})
            except (OSError, HeadwayError) as problem:  # why it failed says more
                log().error("the history of restores was not written: %s", problem)
        raise


@asynccontextmanager
async def in_time(app: App, environment: str, run: str, kind: RestoreKind) -> AsyncIterator[None]:
    """Make a step whose time is over one that failed, and keep that: its thread, which hangs, cannot."""
    try:
        yield
    except TaskRunTimeoutError as error:
        with recording(app, environment, run, kind):
            raise Rejected(f"the {kind} of {environment} did not end: {error}") from error


def tell_drill(what: str, record: RestoreRecord) -> None:
    """Tell what a drill came to and what it could not check; Rejected when it failed, or noticed no damage."""
    for line in record.unchecked:
        log().warning("%s: %s", record.environment, line)
    if record.outcome in ("fail", "broken"):
        raise Rejected(f"{what}: {record.outcome}: {'; '.join((*record.problems, *record.unchecked))}")
    log().info("%s", record.describe())


def newest_restores(app: str, environment: str) -> tuple[RestoreRecord, ...]:
    """Return what the newest restores of an environment showed, the newest first."""
    return RestoreHistory(current_store(), app, environment).newest()


def histories(app: str | None, environment: str | None = None) -> list[RestoreRecord]:
    """Return what the newest restores of all environments showed, or of those asked for, the newest first."""
    found = [
        record
        for one in current_environments()
        if app in (None, one.app.app) and environment in (None, one.environment)
        for record in newest_restores(one.app.app, one.environment)
    ]
    return sorted(found, key=lambda record: record.at, reverse=True)


def left_behind_by(app: str, environment: str) -> str:
    """Return what a restore of the environment's database leaves as it is, in a sentence; empty: nothing is known."""
    known = [one.app for one in current_environments() if (one.app.app, one.environment) == (app, environment)]
    return left_behind(known[0], environment) if known else ""
