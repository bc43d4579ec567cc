"""A migration as a job beside an environment, and what its end means."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from delivery.errors import Rejected
from delivery.log_files import plain
from delivery.migrations.tool import Operation, Session
from delivery.migrations.tools import tool_of, words_of
from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.ports.jobs import Job, JobResult
from delivery.spec.database import Migration
from delivery.spec.variables import fill

NAME = "migrate"
_IN_THE_WAY = "already exists"
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


def carry_out(
    migration: Migration,
    ask: Callable[[Operation], JobResult],
    log: Path,
    *,
    run: str,
    drop_unfinished: Callable[[], tuple[str, ...]] = tuple,
) -> tuple[JobResult, tuple[str, ...]]:
    """Return how a schema was brought up to date, and what was applied; Rejected when it could not be.

    `ask` runs the tool, which writes into `log`. A lock of the tool's own that another run of Headway's left is taken
    away: whoever holds the environment's lease is the only one who migrates, and has ended that run's sessions. What
    a statement outside of a transaction left half done is dropped, and told; where it was in the way of this run, the
    tool is asked once more.
    """
    ended = ask("apply")
    left = tool_of(migration).lock_left_by(_said(ended, log)) if ended.exit_code else ""
    if left.startswith(SESSION) and left != f"{SESSION}{run}":
        freed = ask("unlock")
        code = 1 if freed.exit_code is None else freed.exit_code
        if problem := tool_of(migration).problem("unlock", code, _said(freed, log)):
            raise Rejected(f"the lock that {left} left could not be taken away: {problem}")
        ended = ask("apply")
    dropped = drop_unfinished() if ended.exit_code else ()
    if dropped and _IN_THE_WAY in _said(ended, log):
        ended = ask("apply")
        dropped = drop_unfinished() if ended.exit_code else ()
    try:
        return ended, check_migration(migration, ended, log)
    except Rejected as error:
        if not dropped:
            raise
        raise Rejected(f"{error}\n  dropped, for it was left half done: {', '.join(dropped)}") from error


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
