"""A migration as a job beside an environment, and what its end means."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from delivery.changes.contracting import Split, split
from delivery.errors import Rejected
from delivery.log_files import plain
from delivery.migrations.tool import Operation, Session
from delivery.migrations.tools import tool_of, words_of
from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.ports.jobs import Job, JobResult
from delivery.spec.database import Migration
from delivery.spec.variables import fill

NAME = "migrate"
SESSION = (
    "headway-migrate-"  # and the run: what PostgreSQL calls its sessions, where its driver knows libpq's variables
)


def migration_job(
    migration: Migration,
    access: DatabaseAccess,
    image: str,
    *,
    run: str,
    log: Path,
    operation: Operation = "apply",
    count: int = 1,
    up_to: str = "",
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, SecretStr] | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Job:
    """Return the job that brings a schema up to date; `begun` is called once it runs, and ends it by raising.

    Its sessions wait for a lock as long as the migration says. With another `operation` the tool is asked that instead.
    `env` goes over the variables it has by itself, `secrets` over all; neither they nor the password are in its log.
    """
    own = fill("database.migrate.env", migration.env, access.facts())
    session = Session(f"{SESSION}{run}", migration.lock_timeout_seconds, migration.timeout_seconds)
    return Job(
        name=NAME,
        image=image,
        run=run,
        log=log,
        command=words_of(migration, operation, count, up_to),
        env={**standard_variables(access), **tool_of(migration).variables(access, session), **own, **(env or {})},
        secrets=secrets or {},
        hide=(access.password,),
        timeout_seconds=migration.timeout_seconds,
        begun=begun,
    )


class Ask(Protocol):
    """Runs the tool, which writes into its log; `count` and `up_to` are those of its words."""

    def __call__(self, operation: Operation, count: int, up_to: str) -> JobResult:
        """Return how it ended."""
        ...


@dataclass(frozen=True)
class Migrated:
    """How long a schema was brought up to date; what was applied, where the tool tells it, and what waits."""

    seconds: float
    applied: tuple[str, ...]
    waiting: tuple[str, ...] = ()


def carry_out(
    migration: Migration,
    ask: Ask,
    log: Path,
    *,
    waits: Collection[str] = (),
    drop_unfinished: Callable[[], tuple[str, ...]] = tuple,
) -> Migrated:
    """Return how a schema was brought up to date, but for what `waits`; Rejected when it could not be.

    `ask` runs the tool, which writes into `log`. What a statement outside of a transaction left half done, in this run
    or before it, is dropped by `drop_unfinished`, and told: `if not exists` would take it for done.
    """
    drop_unfinished()
    parts = pending_parts(migration, unlocked(migration, ask, log, "pending"), log, waits) if waits else Split()
    if parts.waiting and not parts.applied:
        return Migrated(0.0, (), parts.waiting)
    seconds, applied = 0.0, tuple[str, ...]()
    for up_to in parts.up_to or ("",):
        ended = unlocked(migration, ask, log, "apply", len(parts.applied), up_to)
        dropped = () if ended.exit_code == 0 else drop_unfinished()
        try:
            applied += check_migration(migration, ended, log)
        except Rejected as error:
            if not dropped:
                raise
            raise Rejected(f"{error}\n  dropped, for it was left half done: {', '.join(dropped)}") from error
        seconds += ended.seconds
    return Migrated(seconds, applied, parts.waiting)


def pending_parts(migration: Migration, ended: JobResult, log: Path, waits: Collection[str]) -> Split:
    """Return what runs now of what the tool said is pending, when it was asked that; Rejected when that failed."""
    check_migration(migration, ended, log, "pending")
    return split(tool_of(migration), _said(ended, log), waits)


def unlocked(
    migration: Migration, ask: Ask, log: Path, operation: Operation, count: int = 1, up_to: str = ""
) -> JobResult:
    """Return how an operation ended, once no lock of the tool's own that a run of Headway's left was in its way.

    Whoever holds the environment's lease is the only one who migrates, and has ended the sessions of every attempt
    before its own: a lock of theirs has no holder. Rejected when it could not be taken away.
    """
    ended = ask(operation, count, up_to)
    left = tool_of(migration).lock_left_by(_said(ended, log)) if ended.exit_code else ""
    if not left.startswith(SESSION):
        return ended
    freed = ask("unlock", 1, "")
    code = 1 if freed.exit_code is None else freed.exit_code
    if problem := tool_of(migration).problem("unlock", code, _said(freed, log)):
        raise Rejected(f"the lock that {left} left could not be taken away: {problem}")
    return ask(operation, count, up_to)


def _said(ended: JobResult, log: Path) -> str:
    return plain(log.read_text(errors="replace")) if log.exists() else ended.last_lines


def check_migration(
    migration: Migration, ended: JobResult, log: Path, operation: Operation = "apply"
) -> tuple[str, ...]:
    """Return what was applied, where the tool tells it, when the schema is up to date; or what it was asked instead.

    Rejected when the migration failed: with what the tool found and what is to be done, or with its last lines.
    """
    if ended.exit_code is None:
        how = f"did not end within {migration.timeout_seconds} s"
        raise Rejected(f"the migration failed: {how}; its last lines:\n{ended.last_lines}")
    said = _said(ended, log)
    if problem := tool_of(migration).problem(operation, ended.exit_code, said):
        raise Rejected(f"the migration failed: {problem}")
    return tool_of(migration).versions(operation, said)
