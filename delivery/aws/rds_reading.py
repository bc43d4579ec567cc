"""What is read and written within a database on RDS, by programs that run beside it as its administrator."""

from collections.abc import Sequence

from delivery.aws.rds import RdsDatabase
from delivery.errors import Rejected
from delivery.ports.drills import filled_tables
from delivery.ports.table_states import TableState
from delivery.programs import postgres, postgres_change, postgres_managed
from delivery.programs.postgres_look import PINNED_FOR_ALL, parse_look

MOST_SECONDS = 7200.0  # a large database is read, or goes over, in silence
MOST_DAMAGED = 3
# No superuser is to be had on RDS, so nobody reads pages there as they are on the disk; RDS checks them itself:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.FeatureSupport.Extensions.html
_ABSENT = (
    "not found",
    "is not available",
    "No such file",
    "permission denied",
    "must be superuser",
    "CREATE EXTENSION",
)


def run_sql(database: RdsDatabase, name: str, script: str, *, seconds: float = MOST_SECONDS) -> str:
    """Run a script on the server of an instance, within the database `name`, and return what it prints."""
    access = database.administrator(database.available(seconds))
    argv = postgres_managed.managed_argv(postgres_change.in_database(name) + script)
    return database.run_program(argv, access, seconds=seconds)


def look_at(
    database: RdsDatabase, name: str, *, first: str = "", last: str = "", seconds: float = MOST_SECONDS
) -> tuple[TableState, ...]:
    """Return what is in a database after what is done in it `first`, and before what is done `last`."""
    script = first + postgres_managed.managed_look_script(name) + last
    return parse_look(run_sql(database, name, script, seconds=seconds))


def look_at_damaged(
    database: RdsDatabase, name: str, states: tuple[TableState, ...], token: str, *, seconds: float = MOST_SECONDS
) -> tuple[TableState, ...]:
    """Take the sentinel of `token` and rows out of a copy that has `states`, and return what is in it then."""
    damage = postgres.damage_script(token, filled_tables(states)[:MOST_DAMAGED]) + "\\set ON_ERROR_STOP on\n"
    return look_at(database, name, first=damage, seconds=seconds)


def check_indexes(database: RdsDatabase, name: str, *, seconds: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is wrong with tables and indexes of a database, and what could not be checked of them.

    https://www.postgresql.org/docs/current/app-pgamcheck.html
    """
    argv: Sequence[str] = ["pg_amcheck", "--heapallindexed", "--install-missing", "--no-password", f"--database={name}"]
    access = database.administrator(database.available(seconds))
    try:
        database.run_program(argv, access, env={"PGOPTIONS": PINNED_FOR_ALL}, seconds=seconds)
    except Rejected as error:
        if any(word in str(error) for word in _ABSENT):
            why = str(error).strip().splitlines()[-1]
            return (), (f"not checked: tables and indexes against each other (pg_amcheck): {why}",)
        return (f"pg_amcheck: {error}",), ()
    return (), ()
