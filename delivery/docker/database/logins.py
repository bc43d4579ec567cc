"""Whether a database lets its user in, asked within its container as another container would ask."""

from pathlib import Path

from docker.models.containers import Container

from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.errors import Misconfigured
from delivery.ports.database import ALIAS, DatabaseAccess
from delivery.programs import postgres_change
from delivery.waiting import until

LOGIN_SECONDS = 5.0


def check_login(container: Container, access: DatabaseAccess, names: EnvironmentNames, file: Path) -> None:
    """Return when the user logs in with its password and gets an answer; Misconfigured, with what it is told, if not.

    `file` is where the password is kept.
    """
    argv = postgres_change.login_argv(access.user, access.name, ALIAS)
    env, told = {"PGPASSWORD": access.password.get_secret_value()}, ""

    def lets_in() -> bool:
        nonlocal told
        code, output, errors = run_in(container, argv, env=env)
        told = errors.strip() or output.strip()
        return code == 0 and output.strip() == "1"

    if not until(lets_in, seconds=LOGIN_SECONDS, every=0.2):
        raise Misconfigured(
            f"database of {names.environment} of {names.app}",
            f"it answers, and does not let {access.user} in: {told}",
            next_step=f"give the user in {container.name} the password that {file} holds, or restore a backup",
        )
