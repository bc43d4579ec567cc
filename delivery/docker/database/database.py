"""The database of an environment: started, found again, migrated."""

import secrets
from collections.abc import Mapping

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, environment_labels
from delivery.docker.database.database_image import check_kept_data, check_same_version, database_image
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import Sandbox, engine_errors
from delivery.errors import Misconfigured
from delivery.ports.database import ALIAS, DatabaseAccess
from delivery.programs import postgres
from delivery.spec.database import Database

ROLE = "database"
START_SECONDS = 60
IN_MEMORY = ["postgres", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def ensure_database(
    database: Database, names: EnvironmentNames, *, image: str, host: str | None = None
) -> DatabaseAccess:
    """Return access to the environment's database, running and answering; its data outlives its container.

    Raises Rejected with the end of its log when it does not answer, and Misconfigured when the image is not for the
    data that is kept.
    """
    client = connect(host)
    with engine_errors():
        ensure_network(client, names)
        if container := _existing(client, names):
            check_same_version(client, container, database_image(client, image), database.image)
        else:
            container = _create(client, database, names, image)
        if container.status != "running":
            container.start()
        access = _access(container)
        wait_until(lambda: accepts_queries(container, access), container, START_SECONDS)
    return access


def find_database(names: EnvironmentNames, *, host: str | None = None) -> DatabaseAccess | None:
    """Return access to the environment's database, or none when the environment has none."""
    with engine_errors():
        container = _existing(connect(host), names)
    return _access(container) if container else None


def start_in_memory(sandbox: Sandbox, image: str, name: str, **options: object) -> tuple[Container, DatabaseAccess]:
    """Start a database in `sandbox` whose data is in memory; it need not answer yet."""
    access = DatabaseAccess(name=name, password=SecretStr(secrets.token_hex(16)))
    env, tmpfs = database_image(sandbox.client, sandbox.image(image)).in_memory()
    container = sandbox.start(ALIAS, image, IN_MEMORY, env=server_env(access) | env, tmpfs=tmpfs, **options)
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


def server_env(access: DatabaseAccess) -> dict[str, str]:
    """Return the variables with which the server's image makes the database at its first start."""
    password = access.password.get_secret_value()
    return {"POSTGRES_USER": access.user, "POSTGRES_PASSWORD": password, "POSTGRES_DB": access.name}


def _existing(client: DockerClient, names: EnvironmentNames) -> Container | None:
    try:
        return client.containers.get(names.database)
    except NotFound:
        return None


def _access(container: Container) -> DatabaseAccess:
    """Read back what the database was made with: the container is the only place that keeps the password."""
    env: Mapping[str, str] = dict(line.partition("=")[::2] for line in container.attrs["Config"]["Env"])
    try:
        return DatabaseAccess(
            name=env["POSTGRES_DB"], user=env["POSTGRES_USER"], password=SecretStr(env["POSTGRES_PASSWORD"])
        )
    except KeyError as error:
        raise Misconfigured(
            f"container {container.name}", f"has no {error.args[0]}", next_step="it was not made by Headway: rename it"
        ) from error


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


def _create(client: DockerClient, database: Database, names: EnvironmentNames, image: str) -> Container:
    """Create the container; a volume that is there from before needs the password it was made with."""
    labels = environment_labels(names.platform, names.app, names.environment, ROLE)
    about = database_image(client, image)
    kept = _has_volume(client, names.database)
    client.volumes.create(names.database, labels=labels)
    if kept:
        check_kept_data(client, about, names.database, database.image)
    access = DatabaseAccess(name=database.name, password=SecretStr(secrets.token_hex(24)))
    try:
        return client.containers.create(
            image,
            name=names.database,
            labels=labels,
            environment=server_env(access),
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
