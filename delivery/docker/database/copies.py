"""A server of its own on which an application's database is copied, taken back, and watched while it is migrated."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from docker.models.containers import Container

from delivery.docker.database import backup
from delivery.docker.database.database import accepts_queries, start_ephemeral, start_in_memory
from delivery.docker.database.keeping import files_of
from delivery.docker.database.roles import ADMINISTRATOR, make_extensions, make_roles, run_script
from delivery.docker.database.transfer import lay
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import Sandbox
from delivery.errors import Rejected
from delivery.ports.database import DatabaseAccess
from delivery.programs import postgres_change, postgres_statements
from delivery.releases.rehearsal import Statement
from delivery.spec.database import ContainerDatabase
from delivery.waiting import until

START_SECONDS = 60
LOG_SECONDS = 30.0


@dataclass
class Copies:
    """The database that everybody reaches under its own name, and copies of it that nobody uses."""

    server: Container
    access: DatabaseAccess
    extensions: tuple[str, ...]
    watched: list[Statement] = field(default_factory=list)

    def prepare(self, dump: Path | None) -> None:
        """Make the database what the backup in the folder `dump` holds, or empty; Rejected when it does not come back.

        The application is the database's owner, and no more than that, as where it runs.
        """
        if dump:
            lay(self.server, files_of(dump), backup.VOLUME)
            backup.restore(self.server, self.access)
        make_roles(self.server, creates_databases=True)
        make_extensions(self.server, self.extensions)

    def keep(self, name: str) -> None:
        """Keep a copy of the database as it is now; its sessions end."""
        self._run(postgres_change.copy_script(self.access.name, name), f"the copy {name} could not be made")

    def take_back(self, name: str) -> None:
        """Make the database as it was when the copy was kept; its sessions end."""
        self._run(postgres_change.copy_script(name, self.access.name), f"the copy {name} could not be taken back")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the server write down what is done inside; `watched` has it afterwards, also when that failed."""
        name, token = self.access.name, secrets.token_hex(8)
        marks = f"begin-{token}", f"end-{token}"
        tables: Mapping[str, str] = json.loads(self._run(postgres_statements.tables_script(name), "no tables"))
        self._run(postgres_statements.watch_script(name), "the server cannot be watched")
        self._run(postgres_statements.mark_script(marks[0]), "no mark")
        try:
            yield
        finally:
            self._run(postgres_statements.mark_script(marks[1]), "no mark")
            self._run(postgres_statements.unwatch_script(name), "the server is still watched")
            self.watched += postgres_statements.parse_statements(
                self._log(marks[1]), tables, name, between=marks, but=ADMINISTRATOR
            )

    def version(self) -> str:
        """Return the server's version, like 15.4."""
        return self._run("show server_version;\n", "no version").split()[0]

    def _log(self, mark: str) -> str:
        """Return the server's log once the mark is in it: another process of the server writes it, a moment later."""
        said = ""

        def has_come() -> bool:
            nonlocal said
            _, said, _ = run_in(self.server, ["cat", postgres_statements.FILE], user="0")
            return mark in said

        if not until(has_come, seconds=LOG_SECONDS, every=0.1):
            raise Rejected(f"the server wrote nothing down within {LOG_SECONDS:g} s")
        return said

    def _run(self, script: str, problem: str) -> str:
        return run_script(self.server, script, problem)


def start_copies(sandbox: Sandbox, database: ContainerDatabase, *, on_disk: bool) -> Copies:
    """Start the server and return when it answers; `on_disk` where its data may be larger than memory."""
    settings = postgres_statements.SETTINGS
    volume = {sandbox.add_volume(): {"bind": backup.VOLUME, "mode": "rw"}}
    env = {"PGHOST": "127.0.0.1", "PGUSER": ADMINISTRATOR, "PGDATABASE": database.name}  # of programs within it
    start = start_ephemeral if on_disk else start_in_memory
    server, access = start(
        sandbox, database.image, database.name, settings=settings, env=env, volumes=volume, shm_size="256m"
    )
    wait_until(partial(accepts_queries, server, access), server, START_SECONDS)
    return Copies(server, access, tuple(database.extensions))
