"""The roles of a database's server: the administrator, which is Headway's, and the application's, which owns the data.

A server that was made when the application was its administrator stays as it is: PostgreSQL takes no rights from the
role that a server was made with (`ALTER ROLE`: the bootstrap user must be a superuser).
"""

from collections.abc import Mapping, Sequence

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.docker.engine.exec_stream import run_in
from delivery.errors import Misconfigured, Rejected
from delivery.ports.database import DatabaseAccess
from delivery.programs import postgres_change

ADMINISTRATOR = "headway"
LAST_LINES = 5
_USER, _PASSWORD = "HEADWAY_APP_USER", "HEADWAY_APP_PASSWORD"  # names of variables


def server_env(access: DatabaseAccess, administrator: SecretStr | None) -> dict[str, str]:
    """Return the variables with which the server's image makes the database at its first start.

    With `administrator`, its password, the role of the application is another one, which `make_roles` makes. Without
    it the application is the administrator.
    """
    own = access.password.get_secret_value()
    if administrator is None:
        return {"POSTGRES_USER": access.user, "POSTGRES_PASSWORD": own, "POSTGRES_DB": access.name}
    made = {"POSTGRES_USER": ADMINISTRATOR, "POSTGRES_PASSWORD": administrator.get_secret_value()}
    return {**made, "POSTGRES_DB": access.name, _USER: access.user, _PASSWORD: own}


def app_access(container: Container) -> DatabaseAccess:
    """Return how the application reaches its database, as its container was told."""
    env = _env(container)
    keys = (_USER, _PASSWORD) if _PASSWORD in env else ("POSTGRES_USER", "POSTGRES_PASSWORD")
    return _access(container, env, *keys)


def admin_access(container: Container) -> DatabaseAccess:
    """Return how the server's administrator reaches it; the application's own way where that is the administrator."""
    return _access(container, _env(container), "POSTGRES_USER", "POSTGRES_PASSWORD")


def is_administered(container: Container) -> bool:
    """Whether the application is not the server's administrator."""
    return admin_access(container).user != app_access(container).user


def has_administrator(container: Container) -> bool:
    """Whether the server knows Headway's administrator; one that was made without does not."""
    code, _, _ = run_in(container, postgres_change.admin_argv("select 1", ADMINISTRATOR))
    return code == 0


def make_roles(container: Container, *, creates_databases: bool = False) -> None:
    """Make sure the application's role is there, owns its database, and is no more than that.

    In a test cell it also `creates_databases`, as frameworks do for their tests. The administrator gets the password
    that its container was told. Nothing happens where the application is the administrator. Raises Rejected when the
    server refuses.
    """
    if not is_administered(container):
        return
    access = app_access(container)
    script = postgres_change.roles_script(access.user, access.name, creates_databases=creates_databases)
    run_script(container, script, "the application's role could not be made", _passwords(container))


def make_extensions(container: Container, extensions: Sequence[str]) -> None:
    """Make sure the database has these extensions, also those that only an administrator may create.

    Raises Misconfigured, with the server's words, for one that its image does not have.
    """
    if not extensions:
        return
    script = postgres_change.extensions_script(app_access(container).name, extensions)
    try:
        run_script(container, script, "no")
    except Rejected as error:
        said = str(error).partition("\n")[2]
        where, image = "headway.yaml: database.extensions", "database.image"
        raise Misconfigured(where, said, f"what the image of {image} has", f"name another {image}") from error


def set_password(container: Container) -> None:
    """Give the application's role the password that its container was told; Rejected when that fails."""
    script = postgres_change.password_script(app_access(container).user)
    run_script(container, script, "no password could be set", _passwords(container))


def run_script(container: Container, script: str, problem: str, env: Mapping[str, str] | None = None) -> str:
    """Run a script as the server's administrator beside its databases, over its socket; return what it prints.

    Raises Rejected with `problem` and the last lines.
    """
    argv = postgres_change.admin_argv(script, admin_access(container).user)
    code, output, errors = run_in(container, argv, env=env)
    if code:
        lines = "\n".join(f"{output}{errors}".splitlines()[-LAST_LINES:])
        raise Rejected(f"{problem}; the last lines:\n{lines}")
    return output


def _passwords(container: Container) -> dict[str, str]:
    return {
        postgres_change.NEW_PASSWORD: app_access(container).password.get_secret_value(),
        postgres_change.ADMIN_PASSWORD: admin_access(container).password.get_secret_value(),
    }


def _env(container: Container) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in container.attrs["Config"]["Env"])


def _access(container: Container, env: Mapping[str, str], user: str, password: str) -> DatabaseAccess:
    try:
        return DatabaseAccess(name=env["POSTGRES_DB"], user=env[user], password=SecretStr(env[password]))
    except KeyError as error:
        raise Misconfigured(
            f"container {container.name}", f"has no {error.args[0]}", next_step="it was not made by Headway: rename it"
        ) from error
