"""The parts of a backup and of its proof: dump, restore, look, damage; each within a container that is there."""

from docker.models.containers import Container

from delivery.docker.engine.exec_stream import run_in
from delivery.errors import Rejected
from delivery.ports.database import DatabaseAccess
from delivery.ports.drills import filled_tables
from delivery.ports.table_states import TableState
from delivery.programs import postgres
from delivery.programs.postgres_look import parse_definitions, parse_look

VOLUME = "/backup"
START_SECONDS = 60
MOST_SECONDS = 3600.0  # a large database is dumped in silence
LAST_LINES = 15
MOST_DAMAGED = 3  # tables of which a row is taken


def take(source: Container) -> tuple[TableState, ...]:
    """Dump the database and return what it held at that moment; the files are in the folder of backups."""
    seen = parse_look(sql(source, postgres.dump_script(), "the backup failed"))
    script = run(source, postgres.definitions_of_dump_argv(), "pg_dump could not say how everything is defined")
    return seen + parse_definitions(script)


def measure(source: Container) -> tuple[str, int]:
    """Return the version of the server, like 15.4, and how many bytes the database takes on its disk."""
    script = "show server_version;\nselect pg_database_size(current_database());\n"
    version, size = sql(source, script, "the server cannot be asked").split("\n")[:2]
    return version.split()[0], int(size)


def restore(copy: Container, access: DatabaseAccess) -> None:
    """Make the database anew from the dump in the folder of backups, on a server of its own."""
    run(copy, postgres.roles_argv(), "the roles could not be restored")
    run(copy, postgres.restore_argv(access.name), "the backup could not be restored")


def look(copy: Container) -> tuple[TableState, ...]:
    """Return what is in a copy, and how it is defined."""
    return _content(copy) + _definitions(copy)


def damage(copy: Container, after: tuple[TableState, ...], token: str) -> tuple[TableState, ...]:
    """Take something out of the copy and return what is in it then."""
    sql(copy, postgres.damage_script(token, filled_tables(after)[:MOST_DAMAGED]), "the copy could not be damaged")
    return _content(copy)


def rewrite(copy: Container, access: DatabaseAccess) -> tuple[TableState, ...]:
    """Return how the server writes the definitions of the database down once it has read them in; the copy is lost."""
    run(copy, postgres.restore_argv(access.name, postgres.SCHEMA), "the definitions could not be read in")
    return _definitions(copy)


def _content(container: Container) -> tuple[TableState, ...]:
    return parse_look(sql(container, postgres.look_script(), "the copy could not be read"))


def _definitions(container: Container) -> tuple[TableState, ...]:
    return parse_definitions(run(container, postgres.definitions_argv(), "the copy's definitions could not be read"))


def sql(container: Container, script: str, problem: str) -> str:
    """Run a script with psql and return what it printed; Rejected with `problem` and the last lines when it fails."""
    return run(container, postgres.psql_argv(script), problem)


def run(container: Container, argv: list[str], problem: str) -> str:
    """Run a program as root and return what it printed; Rejected with `problem` and the last lines when it fails."""
    try:
        code, output, errors = run_in(container, argv, user="0", seconds=MOST_SECONDS)
    except TimeoutError as error:
        raise Rejected(f"{problem}: nothing was heard for {MOST_SECONDS:g} s") from error
    if code:
        lines = "\n".join(f"{output}{errors}".splitlines()[-LAST_LINES:])
        raise Rejected(f"{problem}; the last lines:\n{lines}")
    return output
