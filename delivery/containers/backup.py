"""Back up an environment's database, restore it in a container of its own, and compare."""

import contextlib
import secrets
import time
from functools import partial

from docker.models.containers import Container

from delivery.app import Database
from delivery.backup import BackupProof, prove
from delivery.containers.bed import Bed, open_bed
from delivery.containers.database import DatabaseAccess, accepts_queries, server_env
from delivery.containers.exec_stream import run_in
from delivery.containers.names import EnvironmentNames
from delivery.containers.probe import wait_until
from delivery.errors import Rejected
from delivery.home import Home
from delivery.programs import postgres

VOLUME = "/backup"
START_SECONDS = 60
MOST_SECONDS = 3600.0  # a large database is dumped in silence
LAST_LINES = 15


def prove_backup(
    database: Database,
    names: EnvironmentNames,
    access: DatabaseAccess,
    *,
    image: str,
    home: Home,
    run_id: str,
    host: str | None = None,
) -> BackupProof:
    """Return the proof that a backup of the database can be restored; what was made for it is removed.

    A row is written into a schema of our own just before, and removed again. Raises Rejected when a program fails.
    """
    with open_bed(home, run_id, "backup", host=host) as bed:
        volume = {bed.add_volume(): {"bind": VOLUME, "mode": "rw"}}
        source = bed.start(
            "dump",
            image,
            ["sleep", "infinity"],
            env=access.client_env(),
            network=names.backbone,
            volumes=volume,
            user="0",
        )
        sentinel = secrets.token_hex(16)
        try:
            _sql(source, postgres.write_sentinel_script(sentinel), "the sentinel row could not be written")
            newest = time.monotonic()
            before = postgres.parse_look(_sql(source, postgres.dump_script(), "the backup failed"))
            size = _size(source)
            rpo = time.monotonic() - newest
        finally:
            with contextlib.suppress(Rejected):  # the schema is dropped by the next proof, too
                _sql(source, postgres.remove_sentinel_script(), "the sentinel row could not be removed")
        started = time.monotonic()
        copy = _restore(bed, image, access, volume)
        after = postgres.parse_look(_sql(copy, postgres.look_script(), "the copy could not be read"))
        rto = time.monotonic() - started
        _sql(copy, postgres.damage_script(), "the copy could not be damaged")
        damaged = postgres.parse_look(_sql(copy, postgres.look_script(), "the copy could not be read"))
    return prove(
        before,
        after,
        damaged,
        sentinel=postgres.SENTINEL,
        size_bytes=size,
        rpo_seconds=rpo,
        rto_seconds=rto,
    )


def _restore(bed: Bed, image: str, access: DatabaseAccess, volume: dict[str, dict[str, str]]) -> Container:
    """Start an empty server that can be reached by nobody, restore into it, and return it."""
    environment = {**server_env(access), **access.client_env(), "PGHOST": "127.0.0.1"}
    copy = bed.start("restore", image, env=environment, volumes=volume, shm_size="256m")
    wait_until(partial(accepts_queries, copy, access), copy, START_SECONDS)
    # The roles of the server it came from; the one that owns the database is there already, which is no error.
    roles = f"test -f {postgres.ROLES} && psql -XqAt -f {postgres.ROLES} 2>&1 || true"
    _run(copy, ["sh", "-c", roles], "the roles could not be restored")
    _run(copy, postgres.restore_argv(access.name), "the backup could not be restored")
    return copy


def _size(container: Container) -> int:
    return int(_run(container, ["stat", "-c", "%s", postgres.DUMP], "there is no backup; pg_dump failed").strip())


def _sql(container: Container, script: str, problem: str) -> str:
    return _run(container, postgres.psql_argv(script), problem)


def _run(container: Container, argv: list[str], problem: str) -> str:
    code, output, errors = run_in(container, argv, user="0", seconds=MOST_SECONDS)
    if code:
        lines = "\n".join(f"{output}{errors}".splitlines()[-LAST_LINES:])
        raise Rejected(f"{problem}; the last lines:\n{lines}")
    return output
