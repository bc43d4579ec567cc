"""The database of an environment on a Docker host: a container whose data is in a volume."""

import logging

from docker.models.containers import Container

from delivery.docker.database import beside, database
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.migration_end import end_migration
from delivery.docker.database.wal_archive import WalArchive
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.database import DatabaseAccess, Ended
from delivery.spec.app import App
from delivery.spec.backups import BackupPolicy
from delivery.spec.database import Database

_log = logging.getLogger(__name__)


class DockerDatabase:
    """The database of an environment in a container whose data is in a volume; it is reached by its name."""

    def __init__(
        self, app: App, names: EnvironmentNames, home: Home, host: str | None, policy: BackupPolicy | None = None
    ) -> None:
        self.app, self.names, self.home, self.host = app, names, home, host
        self.policy = policy or BackupPolicy()

    def find(self) -> DatabaseAccess | None:
        """Return how it is reached, read back from its container."""
        return database.find_database(self.names, host=self.host)

    def holds_data(self) -> bool:
        """Look for its container and its volume."""
        return database.holds_data(self.names, host=self.host)

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        """Start it, or make it, and wait until it lets its user in.

        One that is wanted `anew` is for a restore, which no trouble with the archive keeps from going on.
        """
        described, image = self._described(), self.image()
        found = database.ensure_database(described, self.names, image=image, home=self.home, host=self.host, anew=anew)
        with engine_errors():
            if self.policy.any_second:
                self.try_archive() if anew else self.archive().ensure()
            else:
                self.archive().end()
        return found

    def try_archive(self) -> bool:
        """Tell whether its changes are archived from now on; why not is a warning."""
        try:
            self.archive().ensure()
        except Rejected as error:
            _log.warning("%s", error)
            return False
        return True

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

    def drop_unfinished(self) -> tuple[str, ...]:
        """Ask the server for indexes that are not valid, as its administrator."""
        with engine_errors():
            server, access = self._server()
            return beside.drop_unfinished(server, access)

    def end_migration(self, run: str) -> Ended:
        """Kill its container and end its sessions."""
        with engine_errors():
            return end_migration(connect(self.host), self.names, run)

    def image(self) -> str:
        """Return the image that the engine has for the database."""
        asked, stand_ins = self._described().image, self.app.stand_ins
        return resolve_base(asked, home=self.home, host=self.host, stand_ins=stand_ins).used

    def archive(self) -> WalArchive:
        """Return what archives its changes."""
        return WalArchive(connect(self.host), self.names, self.image())

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
