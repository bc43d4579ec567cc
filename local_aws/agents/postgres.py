"""The PostgreSQL behind an instance of RDS: a container with an address for good, and a volume that outlives it.

Its superuser is `rdsadmin`, whose password nobody knows; the master user is what RDS makes of one.
"""

import secrets
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from docker.errors import ImageNotFound, NotFound
from docker.models.containers import Container

from delivery.changes.ledger import LABEL_IMAGE, LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.database.database_image import database_image
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.images.bases import resolve_base
from delivery.errors import Rejected
from delivery.programs.postgres_change import NEW_PASSWORD, admin_argv, login_argv
from delivery.waiting import until
from local_aws.agents.postgres_backups import FOLDER, archive_options, make_data, remove_folders
from local_aws.installation import Installation
from local_aws.network import ensure_network, free_address, is_in_network
from local_aws.services.rds_records import MadeFrom

ROLE, BACKUPS = "aws-rds", "rds-backups"
LABEL_ADDRESS, LABEL_PORT = "headway.aws.address", "headway.aws.port"
ADMINISTRATOR, SUPERUSER = "rdsadmin", "rds_superuser"
START_SECONDS, STOP_SECONDS = 60, 30
_LAST_LINES = 8
_ONE = threading.Lock()
# "WITH LOGIN NOSUPERUSER INHERIT CREATEDB CREATEROLE NOREPLICATION", and a member of rds_superuser:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
_ROLES = f"""
\\set password `printf %s "${NEW_PASSWORD}"`
set client_min_messages = error;
select 'create role {SUPERUSER}' where not exists (select from pg_roles where rolname = '{SUPERUSER}') \\gexec
select format('grant %I to {SUPERUSER} with admin option', rolname) from pg_roles
  where rolname in ('pg_monitor', 'pg_signal_backend', 'pg_checkpoint') \\gexec
select format('create role %I', '{{user}}') where not exists (select from pg_roles where rolname = '{{user}}') \\gexec
select format('alter role %I login createrole createdb password %L', '{{user}}', :'password') \\gexec
grant {SUPERUSER} to "{{user}}";
alter database postgres owner to "{{user}}";
"""  # noqa: S608  # names that were checked; the password is a variable
# A member of rds_superuser makes the extensions that RDS has, as an owner of a database makes those that are trusted:
# https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-extensions.html
_EXTENSIONS = f"""
cd "$(pg_config --sharedir)/extension" && grep -q '^trusted' amcheck.control && exit
echo 'trusted = true' >> amcheck.control
version=$(sed -n "s/^default_version = '\\(.*\\)'/\\1/p" amcheck.control)
for last in amcheck--*--"$version".sql; do cat >> "$last" <<'END'
do $$ declare one regprocedure; begin
  for one in select oid from pg_proc where proname in ('bt_index_check', 'bt_index_parent_check', 'verify_heapam') loop
    execute format('grant execute on function %s to {SUPERUSER}', one);
  end loop;
end $$;
END
done
"""  # noqa: S608  # a name of our own
_DATABASE = """
select format('create database %I owner %I', '{name}', '{user}')
  where not exists (select from pg_database where datname = '{name}') \\gexec
"""


class Postgres:
    """The server of one instance, called by its DbiResourceId."""

    def __init__(self, here: Installation, key: str) -> None:
        self.name, self._here, self.key = here.name(key.lower()), here, key
        self.backups = here.name(BACKUPS)

    def found(self) -> Container | None:
        """Return its container; none when there is none."""
        try:
            return connect().containers.get(self.name)
        except NotFound:
            return None

    def is_running(self) -> bool:
        """Whether its container runs, and sees the backups."""
        container = self.found()
        return container is not None and container.status == "running" and _archives(container)

    def start(
        self, major: str, port: int, address: str, promised: Iterable[str], made_from: MadeFrom | None = None
    ) -> Container:
        """Return its container, running, on the data that it has, or those of a backup, made when there is none.

        It is at `address`, or, when it has none yet, at one that nobody has and that is not `promised` to others.
        """
        with _ONE:  # of two that look for a free address one has it
            ensure_network(self._here.home)
            container = self.found()
            if container and (container.labels[LABEL_PORT] != str(port) or not _archives(container)):
                address = container.labels[LABEL_ADDRESS]
                container.stop(timeout=STOP_SECONDS)
                container.remove(v=True)
                container = None
            if container is None:
                if not address or not is_in_network(self._here.home, address):
                    address = free_address(self._here.home, {*promised, *_addresses(self._here)})
                container = self._made(major, port, address, made_from)
        if container.status != "running":
            container.start()
        container.reload()
        return container

    def stop(self) -> None:
        """Stop it, with all that was written."""
        if container := self.found():
            container.stop(timeout=STOP_SECONDS)

    def restart(self, since: datetime) -> None:
        """Restart it, unless it was started since."""
        container = self.found()
        if container and _started(container) < since:
            container.restart(timeout=STOP_SECONDS)

    def remove(self) -> None:
        """Remove it with its data."""
        if container := self.found():
            container.remove(force=True, v=True)
        try:
            connect().volumes.get(self.name).remove(force=True)
        except NotFound:
            return

    def _made(self, major: str, port: int, address: str, made_from: MadeFrom | None) -> Container:
        client, network = connect(), ensure_network(self._here.home)
        image = self._image(major)
        labels = {LABEL_PLATFORM: self._here.home.identity, LABEL_ROLE: ROLE}
        client.volumes.create(self.name, labels=labels | {LABEL_IMAGE: image})
        client.volumes.create(self.backups, labels=labels | {LABEL_IMAGE: image})
        if made_from:
            make_data(self.name, self.backups, image, made_from, labels | {LABEL_ROLE: BACKUPS})
        return client.containers.create(
            image,
            archive_options(self.key),
            name=self.name,
            labels=labels | {LABEL_ADDRESS: address, LABEL_PORT: str(port)},
            environment={
                "POSTGRES_USER": ADMINISTRATOR,
                "POSTGRES_PASSWORD": secrets.token_hex(24),
                "POSTGRES_DB": "postgres",
                "PGPORT": str(port),
            },
            volumes={
                self.name: {"bind": database_image(client, image).mount, "mode": "rw"},
                self.backups: {"bind": FOLDER, "mode": "rw"},
            },
            network=network,
            networking_config={network: client.api.create_endpoint_config(ipv4_address=address)},
            stop_signal="SIGINT",
            shm_size="256m",
        )

    def _image(self, major: str) -> str:
        """Return the image: the one that its data was made with, while the engine has it."""
        client = connect()
        try:
            made_with = (client.volumes.get(self.name).attrs["Labels"] or {}).get(LABEL_IMAGE, "")
            return str(client.images.get(made_with).tags[0]) if made_with else ""
        except (NotFound, ImageNotFound, IndexError):
            return resolve_base(f"postgres:{major}-alpine", home=self._here.home).used


def forget_backups(here: Installation, folders: set[str]) -> None:
    """Remove folders of backups that nobody has any more, with the image that the first of them was made with."""
    try:
        volume = connect().volumes.get(here.name(BACKUPS))
    except NotFound:
        return
    labels: dict[str, str] = {**volume.attrs["Labels"], LABEL_ROLE: BACKUPS}
    remove_folders(volume.name, labels[LABEL_IMAGE], folders, labels)


def let_in(container: Container, *, user: str, password: str, name: str) -> None:
    """Return when the master user, with its roles, its password and its database, logs in over the network.

    Raises Rejected, with the end of its log, when it does not.
    """
    until(lambda: _is_ready(container), seconds=START_SECONDS, every=0.1, unless=lambda: _has_ended(container))
    run_in(container, ["sh", "-c", _EXTENSIONS], user="0")
    script = _ROLES.format(user=user) + (_DATABASE.format(name=name, user=user) if name else "")
    code, said, errors = run_in(container, admin_argv(script, ADMINISTRATOR), env={NEW_PASSWORD: password})
    if code == 0:
        argv = login_argv(user, "postgres", container.labels[LABEL_ADDRESS])
        code, said, errors = run_in(container, argv, env={"PGPASSWORD": password})
    if code:
        log = container.logs(tail=_LAST_LINES).decode(errors="replace")
        raise Rejected(f"{container.name} does not let {user} in: {said}{errors}\n{log}")


def _archives(container: Container) -> bool:
    """Whether it sees the backups, as one that an older version made does not."""
    return any(one["Destination"] == FOLDER for one in container.attrs["Mounts"])


def address_of(container: Container) -> str:
    """Return where it is for good."""
    return str(container.labels[LABEL_ADDRESS])


def _addresses(here: Installation) -> set[str]:
    """Return the addresses that the containers of instances have, running or not."""
    wanted = [f"{LABEL_PLATFORM}={here.home.identity}", f"{LABEL_ROLE}={ROLE}"]
    found = connect().containers.list(all=True, filters={"label": wanted}, ignore_removed=True)
    return {address_of(one) for one in found}


def _is_ready(container: Container) -> bool:
    """Whether it answers over the network: while it is set up it answers on its socket alone."""
    argv = ["pg_isready", "-q", "-h", container.labels[LABEL_ADDRESS], "-p", container.labels[LABEL_PORT]]
    return bool(container.exec_run(argv).exit_code == 0)


def _has_ended(container: Container) -> bool:
    container.reload()
    return bool(container.status != "running")


def _started(container: Container) -> datetime:
    told: dict[str, Any] = container.attrs["State"]
    return datetime.fromisoformat(told["StartedAt"])
