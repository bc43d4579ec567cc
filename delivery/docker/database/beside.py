"""The databases beside each other on an environment's server: which there are, and which one the application uses."""

from collections.abc import Iterable
from datetime import UTC, datetime

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from delivery.docker.database.roles import run_script
from delivery.docker.engine.names import EnvironmentNames
from delivery.errors import Misconfigured, Rejected
from delivery.ports.database import DatabaseAccess, unfinished_in
from delivery.programs import postgres_change

MOST_ATTEMPTS = 10  # a session may begin between the end of all sessions and the change of a name
LONGEST_NAME = 63  # NAMEDATALEN of PostgreSQL, without its last byte


def list_names(container: Container, access: DatabaseAccess) -> tuple[str, ...]:
    """Return the databases of the server, that of the application first."""
    found = run_script(container, postgres_change.names_script(), "the databases are not known").splitlines()
    return tuple(sorted(found, key=lambda name: (name != access.name, name)))


def use_database(container: Container, access: DatabaseAccess, names: EnvironmentNames, name: str) -> str:
    """Call the database `name` as the application's, and return what the one before is called from then on."""
    _check_there(container, access, names, name)
    kept_as = f"{access.name[: LONGEST_NAME - 22]}_until_{datetime.now(UTC):%Y%m%d%H%M%S}"
    script = postgres_change.swap_script(access.name, kept_as, name)
    for left in reversed(range(MOST_ATTEMPTS)):
        try:
            run_script(container, script, f"{name} could not be put in the place of {access.name}")
            break
        except Rejected:
            if not left:
                raise
    return kept_as


def drop_database(container: Container, access: DatabaseAccess, names: EnvironmentNames, name: str) -> None:
    """Remove a database that the application does not use."""
    _check_there(container, access, names, name)
    run_script(container, postgres_change.drop_script(name), f"{name} could not be removed")


def drop_left(container: Container, there: Iterable[str]) -> tuple[str, ...]:
    """Remove those of the databases that a restore before this one began and did not end; return their names."""
    left = unfinished_in(there)
    for name in left:
        run_script(container, postgres_change.drop_script(name), f"{name} could not be removed")
    return left


def drop_unfinished(container: Container, access: DatabaseAccess) -> tuple[str, ...]:
    """Drop the indexes that were left invalid, and return their names."""
    script = postgres_change.unfinished_script(access.name)
    return tuple(run_script(container, script, "what was left half done is not known").split())


def _check_there(container: Container, access: DatabaseAccess, names: EnvironmentNames, name: str) -> None:
    others = list_names(container, access)[1:]
    if name not in others:
        found = "is the one that the application uses" if name == access.name else "is not there"
        where = f"database {name} of {names.environment} of {names.app}"
        raise Misconfigured(where, found, ", ".join(others) or "none but that", "headway restore BACKUP --into NAME")


def running_container(client: DockerClient, names: EnvironmentNames) -> Container | None:
    """Return the container of the environment's database when it runs."""
    try:
        container = client.containers.get(names.database)
    except NotFound:
        return None
    return container if container.status == "running" else None
