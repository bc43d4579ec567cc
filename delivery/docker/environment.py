"""An environment on a Docker host: its target, its jobs, its database and the backups of that."""

from delivery.docker.database import backup, database
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.jobs import DockerJobs
from delivery.docker.target.docker_host import DockerHost
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.backups import BackupProof
from delivery.ports.database import DatabaseAccess
from delivery.ports.environment import OpenEnvironment
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.environments import DockerTarget, Environment


class DockerDatabase:
    """The database of an environment in a container whose data is in a volume; it is reached by its name."""

    def __init__(self, app: App, names: EnvironmentNames, home: Home, host: str | None) -> None:
        self.app, self.names, self.home, self.host = app, names, home, host

    def find(self) -> DatabaseAccess | None:
        """Return how it is reached, read back from its container."""
        return database.find_database(self.names, host=self.host)

    def ensure(self) -> DatabaseAccess:
        """Start it, or make it, and wait until it answers."""
        if self.app.database is None:
            raise Misconfigured(f"database of {self.names.app}", "headway.yaml has none", next_step="add `database`")
        return database.ensure_database(self.app.database, self.names, image=self.image(), host=self.host)

    def image(self) -> str:
        """Return the image that the engine has for the database."""
        assert self.app.database is not None
        asked, stand_ins = self.app.database.image, self.app.stand_ins
        return resolve_base(asked, cache=self.home.cache, host=self.host, stand_ins=stand_ins).used


class DockerBackups:
    """Backups taken and restored in containers beside the environment's database."""

    def __init__(self, own: DockerDatabase) -> None:
        self.own = own

    def prove(self, run: str) -> BackupProof | None:
        """Dump, restore into a server of its own, compare, and damage the copy to see that this would be noticed."""
        own = self.own
        if own.app.database is None or (access := own.find()) is None:
            return None
        image = own.image()
        return backup.prove_backup(
            own.app.database, own.names, access, image=image, home=own.home, run_id=run, host=own.host
        )


def open_docker(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment on the Docker host that its block or headway.yaml names; no host: this machine."""
    target = environment.target
    assert isinstance(target, DockerTarget)
    host = settings.docker_host or target.host
    names = EnvironmentNames(home.identity, settings.app, settings.environment)
    own = DockerDatabase(app, names, home, host)
    return OpenEnvironment(
        target=DockerHost(app, environment, target, settings, sequence=sequence, home=home),
        jobs=DockerJobs(names, home, host, app.stand_ins),
        database=own,
        backups=DockerBackups(own),
        host=host,
    )
