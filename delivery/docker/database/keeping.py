"""Keep a backup of an environment's database, and prove what is kept: restored elsewhere, and compared."""

import contextlib
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.kept import BackupFolder, Look
from delivery.docker.database import backup
from delivery.docker.database.database import accepts_queries
from delivery.docker.database.roles import ADMINISTRATOR, admin_access, make_roles, server_env
from delivery.docker.database.transfer import fetch, lay
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.backups import (
    BackupProof,
    KeptBackup,
    Reason,
    Restored,
    TableState,
    counted_states,
    differs_in_definitions,
    lacking,
    prove,
)
from delivery.ports.database import DatabaseAccess
from delivery.programs import postgres, postgres_change
from delivery.programs.postgres_look import parse_look

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
        with self.folder.adding() as (name, folder), open_sandbox(self.home, run, "backup", host=self.host) as sandbox:
            at, token = datetime.now(UTC), secrets.token_hex(16)
            source = self._client(sandbox, "dump")
            states, rpo = _back_up(source, token)
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
            self.folder.write_record(folder, kept, Look(token=token, states=states))
        return self.folder.find(name)[0]

    def prove(self, name: str, run: str) -> BackupProof:
        """Restore a kept backup on a server of its own, compare, and damage the copy to see that this is noticed."""
        kept, folder = self.folder.find(name)
        look = self.folder.look(folder)
        # Nobody connects to it from elsewhere; its roles are those of the backup.
        access = DatabaseAccess(name=kept.database, password=SecretStr(secrets.token_hex(16)))
        with open_sandbox(self.home, run, "backup", host=self.host) as sandbox:
            started = time.monotonic()
            copy = _start_copy(sandbox, self.image, access)
            lay(copy, _files(folder), backup.VOLUME)
            try:
                backup.restore(copy, access)
            except Rejected as error:
                self.folder.keep_proof(folder, _damaged(kept, str(error)))
                raise
            after = backup.look(copy)
            rto = time.monotonic() - started
            damaged = backup.damage(copy, after, look.token)
            rewritten = backup.rewrite(copy, access) if differs_in_definitions(look.states, after) else ()
        proof = prove(
            look.states,
            after,
            damaged,
            sentinel=postgres.sentinel_of(look.token),
            size_bytes=kept.size_bytes,
            rpo_seconds=kept.rpo_seconds,
            rto_seconds=rto,
            rewritten=rewritten,
        )
        self.folder.keep_proof(folder, proof)
        return proof

    def restore(self, access: DatabaseAccess, name: str, into: str, there: tuple[str, ...], run: str) -> Restored:
        """Restore a kept backup into a new database on the environment's own server, and compare its rows.

        `there` are the databases that it has. Raises Misconfigured when `into` is one of them, Rejected when a program
        fails or something is not as it was; then the new database is gone again.
        """
        kept, folder = self.folder.find(name)
        if into in there:
            raise Misconfigured(
                f"database {into} of {self.names.environment}",
                "is there already, and nothing is restored over a database",
                "another name than " + ", ".join(there),
                f"headway database drop {into} removes it" if into != there[0] else "",
            )
        started, look = time.monotonic(), self.folder.look(folder)
        with open_sandbox(self.home, run, "restore", host=self.host) as sandbox:
            client = self._client(sandbox, "restore")
            lay(client, _files(folder), backup.VOLUME)
            try:
                backup.run(client, postgres.roles_argv(), "the roles could not be restored")
                make_roles(self._server(sandbox))  # a backup may know the application as an administrator
                argv = postgres_change.restore_into_argv(kept.database, into)
                backup.run(client, argv, f"backup {kept.name} could not be restored into {into}")
                within = postgres_change.in_database(into)
                backup.sql(
                    client, within + postgres.remove_sentinel_script(look.token), "the mark could not be removed"
                )
                found = parse_look(backup.sql(client, within + postgres.look_script(), f"{into} could not be read"))
                if missing := lacking(look.states, found):
                    raise Rejected(f"backup {kept.name} came back otherwise than it was: {'; '.join(missing)}")
            except BaseException:
                with contextlib.suppress(Rejected):
                    backup.sql(client, postgres_change.drop_script(into), "the new database could not be dropped")
                raise
        tables, rows = counted_states(found)
        seconds = round(time.monotonic() - started, 3)
        return Restored(backup=kept.name, database=into, tables=tables, rows=rows, seconds=seconds)

    def _server(self, sandbox: Sandbox) -> Container:
        return sandbox.client.containers.get(self.names.database)

    def _client(self, sandbox: Sandbox, role: str) -> Container:
        """Start a container with the server's programs beside the environment's database, for its administrator."""
        volume = {sandbox.add_volume(): {"bind": backup.VOLUME, "mode": "rw"}}
        return sandbox.start(
            role,
            self.image,
            ["sleep", "infinity"],
            env=admin_access(self._server(sandbox)).client_env(),
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


def _start_copy(sandbox: Sandbox, image: str, access: DatabaseAccess) -> Container:
    """Start an empty server that can be reached by nobody, and return it when it answers."""
    volume = {sandbox.add_volume(): {"bind": backup.VOLUME, "mode": "rw"}}
    made = server_env(access, SecretStr(secrets.token_hex(16)))
    environment = {**made, **access.client_env(), "PGHOST": "127.0.0.1", "PGUSER": ADMINISTRATOR}
    copy = sandbox.start("restore", image, env=environment, volumes=volume, shm_size="256m")
    wait_until(partial(accepts_queries, copy, access), copy, backup.START_SECONDS)
    return copy


def _damaged(kept: KeptBackup, problem: str) -> BackupProof:
    """Return what is known of a backup that did not come back at all."""
    return BackupProof(
        outcome="fail",
        differences=(problem,),
        tables=0,
        rows=0,
        size_bytes=kept.size_bytes,
        rpo_seconds=kept.rpo_seconds,
        rto_seconds=0,
    )


def _files(folder: Path) -> list[Path]:
    """Return the files of a backup that is kept; what could not be dumped, as roles of others, may lack."""
    return [path for name in FILES if (path := folder / Path(name).name).exists()]
