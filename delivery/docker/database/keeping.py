"""Keep a backup of an environment's database, and prove what is kept: restored elsewhere, and compared."""

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.kept import BackupFolder, Look, proof_of_damage
from delivery.docker.database import backup
from delivery.docker.database.beside import drop_left
from delivery.docker.database.database import accepts_queries
from delivery.docker.database.roles import ADMINISTRATOR, admin_access, make_roles, run_script, server_env
from delivery.docker.database.room import check_room, check_version
from delivery.docker.database.transfer import fetch, lay
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.sandbox.deadline import Deadline, within
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox, outlasting
from delivery.errors import Rejected
from delivery.home import Home
from delivery.ports.backups import (
    BackupProof,
    KeptBackup,
    Reason,
    Restored,
    counted_states,
    differs_in_definitions,
    lacking,
    other_rows,
    prove,
)
from delivery.ports.database import DatabaseAccess, check_free, unfinished_name
from delivery.ports.table_states import TableState
from delivery.programs import postgres, postgres_change
from delivery.programs.postgres_look import parse_look
from delivery.programs.postgres_managed import rename_script

FILES = (postgres.DUMP, postgres.SCHEMA, postgres.ROLES)


@dataclass(frozen=True)
class Keeper:
    """Keeps, proves and restores the backups of one environment's database with the server's `image`."""

    names: EnvironmentNames
    home: Home
    host: str | None
    image: str

    @property
    def folder(self) -> BackupFolder:
        """Where they are kept."""
        return BackupFolder(self.home, self.names.app, self.names.environment)

    def take(self, access: DatabaseAccess, run: str, reason: Reason) -> KeptBackup:
        """Return a backup of the database as it is now; what was made for it is removed.

        A large object of our own is written just before, and removed again. Raises Rejected when a program fails.
        """
        with open_sandbox(self.home, run, "backup", host=self.host) as sandbox:
            return self.keep_from(self.client(sandbox, "dump"), access, datetime.now(UTC), run, reason)

    def keep_from(
        self, source: Container, access: DatabaseAccess, at: datetime, run: str, reason: Reason
    ) -> KeptBackup:
        """Return a backup of the database that the programs in `source` reach, which is as it was `at` a moment."""
        with self.folder.adding() as (name, folder):
            token = secrets.token_hex(16)
            states, rpo = _back_up(source, token)
            server, size = backup.measure(source)
            fetch(source, FILES, folder)
            tables, rows = counted_states(states)
            kept = KeptBackup(
                name=name,
                app=self.names.app,
                environment=self.names.environment,
                database=access.name,
                at=at,
                reason=reason,
                run=run,
                size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
                tables=tables,
                rows=rows,
                rpo_seconds=round(rpo, 3),
            )
            look = Look(token=token, states=states, backup=name, server=server, database_bytes=size)
            self.folder.write_record(folder, kept, look)
        return self.folder.find(name)[0]

    def prove(self, name: str, run: str, deadline_seconds: float = backup.MOST_SECONDS) -> BackupProof:
        """Restore a kept backup on a server of its own, compare, and damage the copy to see that this is noticed.

        One that does not come back, or not in time, is kept as damaged, and Rejected.
        """
        kept, folder = self.folder.find(name)
        with self._told_damaged(kept, folder):
            look = self.folder.look(folder)
        deadline = Deadline(deadline_seconds)
        try:
            with within(deadline, f"restoring backup {kept.name}"):
                proof = self._prove(kept, folder, look, run, deadline)
        except Rejected as error:
            if deadline.passed:
                self._keep_damage(kept, folder, error)
            raise
        self.folder.keep_proof(folder, proof)
        return proof

    @contextmanager
    def _told_damaged(self, kept: KeptBackup, folder: Path) -> Iterator[None]:
        """Keep why a backup does not come back as its proof; whoever asked hears it as well."""
        try:
            yield
        except Rejected as error:
            self._keep_damage(kept, folder, error)
            raise

    def _keep_damage(self, kept: KeptBackup, folder: Path, error: Rejected) -> None:
        proof = proof_of_damage(str(error), size_bytes=kept.size_bytes, rpo_seconds=kept.rpo_seconds)
        self.folder.keep_proof(folder, proof)

    def _prove(self, kept: KeptBackup, folder: Path, look: Look, run: str, deadline: Deadline) -> BackupProof:
        # Nobody connects to it from elsewhere; its roles are those of the backup.
        access = DatabaseAccess(name=kept.database, password=SecretStr(secrets.token_hex(16)))
        lives = outlasting(deadline.seconds)
        with open_sandbox(self.home, run, "backup", host=self.host, lives=lives) as sandbox:
            started = time.monotonic()
            copy = start_copy(deadline.hold(sandbox), self.image, access)
            check_version(copy, kept, look)
            lay(copy, files_of(folder), backup.VOLUME)
            with self._told_damaged(kept, folder):
                backup.restore(copy, access)
            rto = time.monotonic() - started
            after = backup.look(copy)
            damaged = backup.damage(copy, after, look.token)
            rewritten = backup.rewrite(copy, access) if differs_in_definitions(look.states, after) else ()
        return prove(
            look.states,
            after,
            damaged,
            sentinel=postgres.sentinel_of(look.token),
            size_bytes=kept.size_bytes,
            rpo_seconds=kept.rpo_seconds,
            rto_seconds=rto,
            rewritten=rewritten,
        )

    def restore(self, access: DatabaseAccess, name: str, into: str, there: tuple[str, ...], run: str) -> Restored:
        """Restore a kept backup into a new database on the environment's own server, and compare its rows.

        `there` are the databases that it has. It is called `into` once it is whole. Raises Misconfigured when `into` is
        one of them, Rejected when a program fails or something is not as it was; then the new database is gone again.
        """
        kept, folder = self.folder.find(name)
        check_free(into, there, self.names.environment)
        started, look = time.monotonic(), self.folder.look(folder)
        unfinished = unfinished_name(into)
        with open_sandbox(self.home, run, "restore", host=self.host) as sandbox:
            client = self.client(sandbox, "restore")
            check_version(client, kept, look)
            check_room(self.server(sandbox), kept, look)
            lay(client, files_of(folder), backup.VOLUME)
            try:
                drop_left(self.server(sandbox), there)
                backup.run(client, postgres.roles_argv(), "the roles could not be restored")
                make_roles(self.server(sandbox))  # a backup may know the application as an administrator
                self.fill(client, kept.database, unfinished, f"backup {kept.name} could not be restored into {into}")
                unmarked = postgres_change.in_database(unfinished) + postgres.remove_sentinel_script(look.token)
                backup.sql(client, unmarked, "the mark could not be removed")
                found = self.look_at(client, unfinished)
                if missing := lacking(look.states, found):
                    raise Rejected(f"backup {kept.name} came back otherwise than it was: {'; '.join(missing)}")
                beside = other_rows(found, self.look_at(client, there[0])) if there else ()
                run_script(self.server(sandbox), rename_script(unfinished, into), f"it could not be called {into}")
            except BaseException:
                with contextlib.suppress(Rejected):
                    backup.sql(client, postgres_change.drop_script(unfinished), "the new database could not be dropped")
                raise
        tables, rows = counted_states(found)
        seconds = round(time.monotonic() - started, 3)
        fields = {"backup": kept.name, "database": into, "tables": tables, "rows": rows, "seconds": seconds}
        return Restored.model_validate(fields | {"beside": beside, "at": kept.at})

    def fill(self, client: Container, was: str, into: str, problem: str) -> None:
        """Make the new database `into` from the dump of `was` that `client` has; Rejected with `problem` otherwise."""
        backup.run(client, postgres_change.restore_into_argv(was, into), problem)

    def look_at(self, client: Container, name: str) -> tuple[TableState, ...]:
        """Return what is in a database of the environment's server."""
        script = postgres_change.in_database(name) + postgres.look_script()
        return parse_look(backup.sql(client, script, f"{name} could not be read"))

    def server(self, sandbox: Sandbox) -> Container:
        """Return the container of the environment's server."""
        return sandbox.client.containers.get(self.names.database)

    def client(self, sandbox: Sandbox, role: str) -> Container:
        """Start a container with the server's programs beside the environment's database, for its administrator."""
        volume = {sandbox.add_volume(): {"bind": backup.VOLUME, "mode": "rw"}}
        return sandbox.start(
            role,
            self.image,
            ["sleep", "infinity"],
            env=admin_access(self.server(sandbox)).client_env(),
            network=self.names.backbone,
            volumes=volume,
            user="0",
        )


def _back_up(source: Container, token: str) -> tuple[tuple[TableState, ...], float]:
    """Return what the database held, and for how many seconds nothing newer is in its dump."""
    try:
        backup.sql(source, postgres.write_sentinel_script(token), "the sentinel could not be written")
        newest = time.monotonic()
        return backup.take(source), time.monotonic() - newest
    finally:
        with contextlib.suppress(Rejected):  # it is removed by a backup of the next days, too
            backup.sql(source, postgres.remove_sentinel_script(token), "the sentinel could not be removed")


def start_copy(sandbox: Sandbox, image: str, access: DatabaseAccess, command: Sequence[str] | None = None) -> Container:
    """Start an empty server that can be reached by nobody, and return it when it answers."""
    volume = {sandbox.add_volume(): {"bind": backup.VOLUME, "mode": "rw"}}
    made = server_env(access, SecretStr(secrets.token_hex(16)))
    environment = {**made, **access.client_env(), "PGHOST": "127.0.0.1", "PGUSER": ADMINISTRATOR}
    copy = sandbox.start("restore", image, command, env=environment, volumes=volume, shm_size="256m")
    wait_until(partial(accepts_queries, copy, access), copy, backup.START_SECONDS)
    return copy


def files_of(folder: Path) -> list[Path]:
    """Return the files of a backup that is kept; what could not be dumped, as roles of others, may lack."""
    return [path for name in FILES if (path := folder / Path(name).name).exists()]
