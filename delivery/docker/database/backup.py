"""Back up an environment's database, restore it in a container of its own, and compare."""

import contextlib
import secrets
import time
from functools import partial

from docker.models.containers import Container

from delivery.docker.database.database import accepts_queries, server_env
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.sandbox.probe import wait_until
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox
from delivery.errors import Rejected
from delivery.home import Home
from delivery.ports.backups import BackupProof, TableState, differs_in_definitions, prove
from delivery.ports.database import DatabaseAccess
from delivery.programs import postgres
from delivery.programs.postgres_look import parse_definitions, parse_look
from delivery.spec.database import Database

VOLUME = "/backup"
START_SECONDS = 60
MOST_SECONDS = 3600.0  # a large database is dumped in silence
LAST_LINES = 15
MOST_DAMAGED = 3  # tables of which a row is taken


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

    A large object of our own is written just before, and removed again. Raises Rejected when a program fails.
    """
    with open_sandbox(home, run_id, "backup", host=host) as sandbox:
        volume = {sandbox.add_volume(): {"bind": VOLUME, "mode": "rw"}}
        source = sandbox.start(
            "dump",
            image,
            ["sleep", "infinity"],
            env=access.client_env(),
            network=names.backbone,
            volumes=volume,
            user="0",
        )
        token = secrets.token_hex(16)
        before, size, rpo = _back_up(source, token)
        started = time.monotonic()
        copy = _start_copy(sandbox, image, access, volume)
        restore(copy, access)
        after = look(copy)
        rto = time.monotonic() - started
        damaged = damage(copy, after, token)
        rewritten = rewrite(copy, access) if differs_in_definitions(before, after) else ()
    return prove(
        before,
        after,
        damaged,
        sentinel=postgres.sentinel_of(token),
        size_bytes=size,
        rpo_seconds=rpo,
        rto_seconds=rto,
        rewritten=rewritten,
    )


def _back_up(source: Container, token: str) -> tuple[tuple[TableState, ...], int, float]:
    """Return what the database held, the size of its dump in bytes, and for how many seconds nothing newer is in it."""
    try:
        _sql(source, postgres.write_sentinel_script(token), "the sentinel could not be written")
        newest = time.monotonic()
        before = take(source)
        return before, _size(source), time.monotonic() - newest
    finally:
        with contextlib.suppress(Rejected):  # it is removed by a proof of the next days, too
            _sql(source, postgres.remove_sentinel_script(token), "the sentinel could not be removed")


def take(source: Container) -> tuple[TableState, ...]:
    """Dump the database and return what it held at that moment; the files are in the folder of backups."""
    seen = parse_look(_sql(source, postgres.dump_script(), "the backup failed"))
    script = _run(source, postgres.definitions_of_dump_argv(), "pg_dump could not say how everything is defined")
    return seen + parse_definitions(script)


def restore(copy: Container, access: DatabaseAccess) -> None:
    """Make the database anew from the dump in the folder of backups, on a server of its own."""
    _run(copy, postgres.roles_argv(), "the roles could not be restored")
    _run(copy, postgres.restore_argv(access.name), "the backup could not be restored")


def look(copy: Container) -> tuple[TableState, ...]:
    """Return what is in a copy, and how it is defined."""
    return _content(copy) + _definitions(copy)


def damage(copy: Container, after: tuple[TableState, ...], token: str) -> tuple[TableState, ...]:
    """Take something out of the copy and return what is in it then."""
    filled = [one.name for one in after if one.kind == "table" and not one.definition and one.rows]
    _sql(copy, postgres.damage_script(token, filled[:MOST_DAMAGED]), "the copy could not be damaged")
    return _content(copy)


def rewrite(copy: Container, access: DatabaseAccess) -> tuple[TableState, ...]:
    """Return how the server writes the definitions of the database down once it has read them in; the copy is lost."""
    _run(copy, postgres.restore_argv(access.name, postgres.SCHEMA), "the definitions could not be read in")
    return _definitions(copy)


def _start_copy(sandbox: Sandbox, image: str, access: DatabaseAccess, volume: dict[str, dict[str, str]]) -> Container:
    """Start an empty server that can be reached by nobody, and return it when it answers."""
    environment = {**server_env(access), **access.client_env(), "PGHOST": "127.0.0.1"}
    copy = sandbox.start("restore", image, env=environment, volumes=volume, shm_size="256m")
    wait_until(partial(accepts_queries, copy, access), copy, START_SECONDS)
    return copy


def _content(container: Container) -> tuple[TableState, ...]:
    return parse_look(_sql(container, postgres.look_script(), "the copy could not be read"))


def _definitions(container: Container) -> tuple[TableState, ...]:
    return parse_definitions(_run(container, postgres.definitions_argv(), "the copy's definitions could not be read"))


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
