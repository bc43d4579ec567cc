"""An environment on a Docker host: its target, its jobs, its database and the backups of that."""

from docker.models.containers import Container

from delivery.changes.kept import BackupFolder
from delivery.docker.database import beside, database
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.migration_end import end_migration
from delivery.docker.database.passwords import read_password
from delivery.docker.engine.client import connect
from delivery.docker.engine.hosts import remember_host
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.registry_state import know, own_registry
from delivery.docker.sandbox.jobs import DockerJobs
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.docker.target.docker_host import DockerHost
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.backups import BackupProof, KeptBackup, Reason, Restored
from delivery.ports.database import DatabaseAccess, Ended
from delivery.ports.environment import OpenEnvironment
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.database import Database
from delivery.spec.docker_target import DockerTarget
from delivery.spec.environments import Environment


class DockerDatabase:
    """The database of an environment in a container whose data is in a volume; it is reached by its name."""

    def __init__(self, app: App, names: EnvironmentNames, home: Home, host: str | None) -> None:
        self.app, self.names, self.home, self.host = app, names, home, host

    def find(self) -> DatabaseAccess | None:
        """Return how it is reached, read back from its container."""
        return database.find_database(self.names, host=self.host)

    def holds_data(self) -> bool:
        """Look for its container and its volume."""
        return database.holds_data(self.names, host=self.host)

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        """Start it, or make it, and wait until it lets its user in."""
        described, image = self._described(), self.image()
        return database.ensure_database(described, self.names, image=image, home=self.home, host=self.host, anew=anew)

    def beside(self) -> tuple[str, ...]:
        """Ask the server."""
        with engine_errors():
            server = beside.running_container(connect(self.host), self.names)
            access = self.find()
            return beside.list_names(server, access) if server and access else ()

    def use(self, name: str) -> str:
        """Change the names of both databases at once: the application goes on asking for the one it knows."""
        with engine_errors():
            return beside.use_database(*self._server(), self.names, name)

    def drop(self, name: str) -> None:
        """Remove one that is beside the application's."""
        with engine_errors():
            beside.drop_database(*self._server(), self.names, name)

    def end_migration(self, run: str) -> Ended:
        """Kill its container and end its sessions."""
        with engine_errors():
            return end_migration(connect(self.host), self.names, run)

    def image(self) -> str:
        """Return the image that the engine has for the database."""
        asked, stand_ins = self._described().image, self.app.stand_ins
        return resolve_base(asked, home=self.home, host=self.host, stand_ins=stand_ins).used

    def keeper(self) -> Keeper:
        """Return what keeps its backups."""
        return Keeper(self.names, self.home, self.host, self.image())

    def _described(self) -> Database:
        if self.app.database is None:
            raise Misconfigured(f"database of {self.names.app}", "headway.yaml has none", next_step="add `database`")
        return self.app.database

    def _server(self) -> tuple[Container, DatabaseAccess]:
        server, access = beside.running_container(connect(self.host), self.names), self.find()
        if server is None or access is None:
            raise Misconfigured(
                f"database of {self.names.environment} of {self.names.app}", "does not run", next_step="headway run"
            )
        return server, access


class DockerBackups:
    """Backups taken and restored in containers beside the environment's database, and kept in a folder of the home."""

    def __init__(self, own: DockerDatabase) -> None:
        self.own = own
        self.folder = BackupFolder(own.home, own.names.app, own.names.environment)

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Dump it, and keep the dump with what was in the database at its moment."""
        if self.own.app.database is None:
            return None
        access = self.own.find()
        if access is None and read_password(self.own.home, self.own.names):
            where = f"{self.own.names.environment} of {self.own.names.app}"
            raise Rejected(f"the database of {where} is gone, so nothing was backed up\n  next: headway run")
        if access is None:
            return None
        return self.own.keeper().take(access, run, reason)

    def kept(self) -> tuple[KeptBackup, ...]:
        """Read the folder; no engine is asked."""
        return self.folder.all()

    def prove(self, name: str, run: str) -> BackupProof:
        """Restore it into a server of its own, compare, and damage the copy to see that this would be noticed."""
        self.folder.find(name)
        return self.own.keeper().prove(name, run)

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Restore it on the environment's own server."""
        self.folder.find(name)
        access = self.own.ensure(anew=True)
        return self.own.keeper().restore(access, name, into, self.own.beside(), run)

    def forget(self, name: str) -> None:
        """Remove its folder."""
        self.folder.forget(name)


def open_docker(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment on the Docker host that its block or headway.yaml names; no host: this machine."""
    target = environment.target
    assert isinstance(target, DockerTarget)
    host = settings.docker_host or target.host
    remember_host(home, host)
    names = EnvironmentNames(home.identity, settings.app, settings.environment)
    own = DockerDatabase(app, names, home, host)
    return OpenEnvironment(
        target=DockerHost(app, environment, target, settings, sequence=sequence, home=home),
        jobs=DockerJobs(names, home, host, app.stand_ins),
        database=own,
        backups=DockerBackups(own),
        registry=know(settings.registry or own_registry(home)),
    )
