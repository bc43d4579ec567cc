"""A migration as a job beside an environment, and what its end means."""

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from delivery.errors import Rejected
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
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, SecretStr] | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Job:
    """Return the job that brings a schema up to date; `begun` is called once it runs, and ends it by raising.

    `env` goes over the variables it has by itself, `secrets` over all; neither they nor the password are in its log.
    """
    own = fill("database.migrate.env", migration.env, access.facts())
    return Job(
        name=NAME,
        image=image,
        run=run,
        log=log,
        command=None if migration.command is None else tuple(migration.command),
        env={**standard_variables(access), "PGAPPNAME": f"{SESSION}{run}", **own, **(env or {})},
        secrets=secrets or {},
        hide=(access.password,),
        timeout_seconds=migration.timeout_seconds,
        begun=begun,
    )


def check_migration(migration: Migration, ended: JobResult) -> None:
    """Return when the schema is up to date; Rejected, with the last lines, when the migration failed."""
    if ended.exit_code != 0:
        seconds = migration.timeout_seconds
        how = f"did not end within {seconds} s" if ended.exit_code is None else f"exit code {ended.exit_code}"
        raise Rejected(f"the migration failed: {how}; its last lines:\n{ended.last_lines}")
