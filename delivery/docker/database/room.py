"""What a server must have before a backup is restored on it: room on its disk, and a version that can read the dump."""

import re

from docker.models.containers import Container

from delivery.changes.kept import Look
from delivery.docker.engine.exec_stream import run_in
from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import KeptBackup

MARGIN = 1.1  # indexes are built beside what they are of, and the WAL of it all comes first
_FREE = "df -Pk \"$PGDATA\" | awk 'NR == 2 { print $4 }'"


def check_version(container: Container, kept: KeptBackup, look: Look) -> None:
    """Return when the programs of a container read the dump; Misconfigured for one of a newer server.

    "pg_dump cannot dump from PostgreSQL servers newer than its own major version", and no older server takes what a
    newer one has. https://www.postgresql.org/docs/current/app-pgdump.html
    """
    has, was = _major(run_in(container, ["postgres", "--version"])[1]), _major(look.server)
    if was and has and has < was:
        raise Misconfigured(
            f"backup {kept.name} of {kept.environment} of {kept.app}",
            f"is of PostgreSQL {was}, and the image of database.image has {has}",
            f"an image of PostgreSQL {was}, or of a newer one",
        )


def check_room(server: Container, kept: KeptBackup, look: Look) -> None:
    """Return when the disk of a server has room for what a backup takes there; Rejected otherwise, with both sizes."""
    code, output, _ = run_in(server, ["sh", "-c", _FREE])
    if code or not output.strip().isdigit() or not look.database_bytes:
        return
    free, needed = 1024 * int(output), look.database_bytes * MARGIN
    if free < needed:
        raise Rejected(
            f"no room for backup {kept.name} beside the database in use: {needed / 1e6:.0f} MB are needed, "
            f"{free / 1e6:.0f} MB are free\n  next: headway database list, and headway database drop NAME for one that "
            "nobody needs"
        )


def _major(said: str) -> int:
    """Return the major version in what a program says of itself; 0 when there is none."""
    found = re.search(r"\d+", said)
    return int(found[0]) if found else 0
