"""The database of an environment: started, found again, migrated."""

import secrets
from collections.abc import Mapping
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_IMAGE, environment_labels
from delivery.docker.database.database_image import check_kept_data, check_same_version, database_image
from delivery.docker.database.logins import check_login
from delivery.docker.database.passwords import is_kept_administered, keep_password, password_file, read_password
from delivery.docker.database.roles import (
    app_access,
    has_administrator,
    is_administered,
    make_extensions,
    make_roles,
    server_env,
    set_password,
)
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import Sandbox, engine_errors
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.database import ALIAS, DatabaseAccess
from delivery.programs import postgres
from delivery.spec.database import ContainerDatabase

ROLE = "database"
START_SECONDS = 60
STOP_SECONDS = 60
EPHEMERAL = ["postgres", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def ensure_database(
    database: ContainerDatabase,
    names: EnvironmentNames,
    *,
    image: str,
    home: Home,
    host: str | None = None,
    anew: bool = False,
) -> DatabaseAccess:
    """Return access to the environment's database, running and letting its user in; its data outlives its container.

    A container that was lost is made again with the password it had, and one of another image than `database` names is
    replaced. Raises Rejected with the end of its log when it does not answer, and Misconfigured when image or name are
    not for the data that is kept, when that is gone and not wanted `anew`, or when the password is refused.
    """
    client = connect(host)
    with engine_errors():
        ensure_network(client, names)
        unknown = False
        if container := _existing(client, names):
            check_same_version(client, container, database_image(client, image), database.image)
            access = app_access(container)
            check_same_name(database, access, names)
            if _is_of_another_image(container, database, image):
                container = _replaced(client, database, names, image, container, access, is_administered(container))
        else:
            access, administered, unknown = _access_of_kept(client, database, names, image, home, anew=anew)
            container = _create(client, database, names, image, access, administered=administered)
        _await(container, access)
        if unknown and not has_administrator(container):  # it was made when the application was its administrator
            container = _replaced(client, database, names, image, container, access, administered=False)
            _await(container, access)
        keep_password(home, names, access, administered=is_administered(container))
        make_roles(container)
        make_extensions(container, database.extensions)
        if unknown:
            set_password(container)
        check_login(container, access, names, password_file(home, names))
    return access


def _await(container: Container, access: DatabaseAccess) -> None:
    """Return when the server runs and answers."""
    if container.status != "running":
        container.start()
    wait_until(lambda: accepts_queries(container, access), container, START_SECONDS)


def _replaced(
    client: DockerClient,
    database: ContainerDatabase,
    names: EnvironmentNames,
    image: str,
    container: Container,
    access: DatabaseAccess,
    administered: bool,
) -> Container:
    """Return another container for the same data."""
    container.stop(timeout=STOP_SECONDS)
    container.remove(v=True)
    return _create(client, database, names, image, access, administered=administered)


def holds_data(names: EnvironmentNames, *, host: str | None = None) -> bool:
    """Tell whether the environment has a database, in a container or only in a volume."""
    client = connect(host)
    with engine_errors():
        return _existing(client, names) is not None or _has_volume(client, names.database)


def find_database(names: EnvironmentNames, *, host: str | None = None) -> DatabaseAccess | None:
    """Return access to the environment's database, or none when the environment has none."""
    with engine_errors():
        container = _existing(connect(host), names)
    return app_access(container) if container else None


def start_in_memory(
    sandbox: Sandbox,
    image: str,
    name: str,
    *,
    settings: Mapping[str, str] = {},
    env: Mapping[str, str] = {},
    **options: Any,
) -> tuple[Container, DatabaseAccess]:
    """Start a database in `sandbox` whose data is in memory; it need not answer yet."""
    own, tmpfs = database_image(sandbox.client, sandbox.image(image)).in_memory()
    return start_ephemeral(sandbox, image, name, settings=settings, env={**env, **own}, tmpfs=tmpfs, **options)


def start_ephemeral(
    sandbox: Sandbox,
    image: str,
    name: str,
    *,
    settings: Mapping[str, str] = {},
    env: Mapping[str, str] = {},
    **options: Any,
) -> tuple[Container, DatabaseAccess]:
    """Start a database in `sandbox` that waits for no disk and ends with it, with the server's `settings`."""
    access = DatabaseAccess(name=name, password=SecretStr(secrets.token_hex(16)))
    made = server_env(access, SecretStr(secrets.token_hex(16)))
    said = [word for setting, value in settings.items() for word in ("-c", f"{setting}={value}")]
    container = sandbox.start(ALIAS, image, [*EPHEMERAL, *said], env={**made, **env}, **options)
    return container, access


def accepts_queries(container: Container, access: DatabaseAccess) -> bool:
    """Tell whether the database answers over TCP: while it is set up it answers on its socket only."""
    argv = postgres.ready_argv(access.user, access.name)
    try:
        return bool(container.exec_run(argv).exit_code == 0)
    except APIError as error:
        if isinstance(error, NotFound):
            raise
        return False  # it is not running; the caller finds out why


def _existing(client: DockerClient, names: EnvironmentNames) -> Container | None:
    try:
        return client.containers.get(names.database)
    except NotFound:
        return None


def ensure_network(client: DockerClient, names: EnvironmentNames) -> None:
    """Make sure the environment's network is there.

    Raises Misconfigured when it is another environment's: `a-b` in `c` and `a` in `b-c` make one name.
    """
    if found := client.networks.list(names=[f"^{names.backbone}$"]):
        _check_owner(found[0].attrs.get("Labels") or {}, names)
    else:
        labels = environment_labels(names.platform, names.app, names.environment, "backbone")
        try:
            client.networks.create(names.backbone, driver="bridge", labels=labels, check_duplicate=True)
        except APIError as error:
            if error.status_code != 409:  # another step was first
                raise


def _has_volume(client: DockerClient, name: str) -> bool:
    try:
        client.volumes.get(name)
    except NotFound:
        return False
    return True


def _check_owner(labels: Mapping[str, str], names: EnvironmentNames) -> None:
    app, environment = labels.get(LABEL_APP, names.app), labels.get(LABEL_ENVIRONMENT, names.environment)
    if (app, environment) != (names.app, names.environment):
        raise Misconfigured(
            f"headway.yaml: environments.{names.environment}",
            f"with the application's name it makes {names.app}-{names.environment}, "
            f"which {environment} of {app} has here already",
            next_step="call the environment or the application otherwise, or remove the other one: headway remove",
        )


def check_same_name(database: ContainerDatabase, access: DatabaseAccess, names: EnvironmentNames) -> None:
    """Return when the database that is kept is called as headway.yaml says; Misconfigured otherwise."""
    if database.name != access.name:
        raise Misconfigured(
            f"database.name: {database.name}",
            f"the database of {names.environment} is called {access.name}",
            access.name,
            f"keep the name; it is that of all environments, and of their backups; nothing was changed in "
            f"{names.environment}",
        )


def _is_of_another_image(container: Container, database: ContainerDatabase, image: str) -> bool:
    """Tell whether headway.yaml names another image than when the container was made; a tag that moved is the same."""
    asked = container.labels.get(LABEL_IMAGE)
    return asked != database.image if asked else container.attrs["Config"]["Image"] != image


def _access_of_kept(
    client: DockerClient, database: ContainerDatabase, names: EnvironmentNames, image: str, home: Home, *, anew: bool
) -> tuple[DatabaseAccess, bool, bool]:
    """Return how a database without a container is reached, and what its volume may know otherwise.

    That is, whether its application is not its administrator, and whether nobody knows its password.
    """
    kept, has_volume = read_password(home, names), _has_volume(client, names.database)
    if kept and not has_volume and not anew:
        raise Misconfigured(
            f"database of {names.environment} of {names.app}",
            f"its data is gone: there is no volume {names.database} any more",
            next_step="headway backups, and headway restore BACKUP --over-live puts one in its place; an empty "
            f"database is made where {password_file(home, names)} is removed",
        )
    if has_volume:
        check_kept_data(client, database_image(client, image), names.database, database.image)
    if kept:
        check_same_name(database, kept, names)
        return kept, not has_volume or is_kept_administered(home, names), False
    return DatabaseAccess(name=database.name, password=SecretStr(secrets.token_hex(24))), True, has_volume


def _create(
    client: DockerClient,
    database: ContainerDatabase,
    names: EnvironmentNames,
    image: str,
    access: DatabaseAccess,
    *,
    administered: bool,
) -> Container:
    """Create the container on the volume of its data, which is made when there is none."""
    labels = environment_labels(names.platform, names.app, names.environment, ROLE)
    about = database_image(client, image)
    client.volumes.create(names.database, labels=labels)
    try:
        return client.containers.create(
            image,
            name=names.database,
            labels=labels | {LABEL_IMAGE: database.image},
            environment=server_env(access, SecretStr(secrets.token_hex(24)) if administered else None) | about.checked,
            volumes={names.database: {"bind": about.mount, "mode": "rw"}},
            restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
            network=names.backbone,
            networking_config={names.backbone: client.api.create_endpoint_config(aliases=[ALIAS])},
            stop_signal="SIGINT",
            shm_size="256m",
        )
    except APIError as error:
        if error.status_code == 409:  # another step was first
            return client.containers.get(names.database)
        raise
