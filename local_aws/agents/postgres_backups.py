"""Backups of the PostgreSQL behind an instance: copies of its data, its archive of WAL, and servers made from them.

All of them are in one volume, which every server sees at `/backups`: a folder for each copy, and one for each instance
with the WAL that it archived. The master user is no superuser and reads none of it.
"""

from collections.abc import Mapping

from docker.models.containers import Container

from delivery.docker.database.database_image import database_image
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.errors import Rejected
from local_aws.services.rds_records import MadeFrom

FOLDER = "/backups"
SECONDS = 600.0
# Nothing is archived before there is a folder for it, which an instance that keeps no backups never has.
_ARCHIVE = "[ ! -d {wal} ] || [ -f {wal}/%f.gz ] || {{ gzip -1 <%p >{wal}/%f.new && mv {wal}/%f.new {wal}/%f.gz; }}"
_COPY = """
set -e
cd /backups
rm -rf "$0" "$0.new"
pg_basebackup -h /var/run/postgresql -U rdsadmin -p "$PGPORT" -D "$0.new" -X stream -c fast --no-sync
mv "$0.new" "$0"
psql -XqAtw -h /var/run/postgresql -U rdsadmin -d postgres -c 'select clock_timestamp()'
"""
# A commit that is later than the moment, without which no restore to that moment ends; then all of it is archived.
_UPLOAD = """
set -e
ask() { psql -XqAtw -h /var/run/postgresql -U rdsadmin -d postgres -c "$1"; }
at=$(ask 'select clock_timestamp()')
ask 'select pg_current_xact_id()' >/dev/null
file=$(ask 'select pg_walfile_name(pg_switch_wal())')
until [ -f "/backups/$0/wal/$file.gz" ]; do sleep 0.05; done
echo "$at"
"""
_ASK = "psql -XqAtw -h /var/run/postgresql -U rdsadmin -d postgres -c 'select {}'"
# PG_VERSION last: a copy that was cut short has none, and is made again.
_MADE = """
set -e
[ ! -f "$PGDATA/PG_VERSION" ] || exit 0
mkdir -p "$PGDATA"
cd "/backups/$0"
find . -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec cp -a {} "$PGDATA"/ \\;
if [ -n "$1" ]; then
  printf '%s\\n' "$2" >>"$PGDATA/postgresql.auto.conf"
  touch "$PGDATA/recovery.signal"
fi
chown -R postgres "$PGDATA"
chmod 700 "$PGDATA"
cp -p PG_VERSION "$PGDATA/"
"""


def archive_options(key: str) -> list[str]:
    """Return what a server is started with, so that it archives its WAL."""
    command = _ARCHIVE.format(wal=f"{FOLDER}/{key}/wal")
    return ["postgres", "-c", "archive_mode=on", "-c", f"archive_command={command}"]


def begin_archive(container: Container, key: str) -> None:
    """Make the folder that the server archives its WAL in."""
    _run(container, f"mkdir -p {FOLDER}/{key}/wal && chmod 1777 {FOLDER} && chown -R postgres {FOLDER}/{key}", "", "0")


def copy_data(container: Container, folder: str) -> str:
    """Copy the server's data to a folder of backups, and return the moment from which on the copy is whole."""
    _run(container, f"chmod 1777 {FOLDER}", "", "0")
    return _run(container, _COPY, folder).splitlines()[-1]


def upload(container: Container, key: str) -> str:
    """Archive all that was committed, and return the moment until which that is."""
    return _run(container, _UPLOAD, key).splitlines()[-1]


def next_transaction(container: Container) -> int:
    """Return the number that the next transaction has which changes something."""
    return int(_run(container, _ASK.format("pg_snapshot_xmax(pg_current_snapshot())"), ""))


def now_of(container: Container) -> str:
    """Return what time it is on the server."""
    return _run(container, _ASK.format("clock_timestamp()"), "").strip()


def make_data(volume: str, backups: str, image: str, made_from: MadeFrom, labels: Mapping[str, str]) -> None:
    """Fill the volume of a server with the data of a backup, unless it has data; it recovers when it is started."""
    client = connect()
    own = database_image(client, image)
    lines = ["hot_standby = off"]  # it answers once it is what it was at that moment
    wal = f"{FOLDER}/{made_from.key}/wal"
    lines.append(f"restore_command = '[ -f {wal}/%f.gz ] && gunzip -c {wal}/%f.gz >%p'")
    lines.append("recovery_target_action = 'promote'")
    lines.append(f"recovery_target_time = '{made_from.at}'")
    client.containers.run(
        image,
        [made_from.folder, made_from.key, "\n".join(lines)],
        entrypoint=["sh", "-c", _MADE],
        user="0",
        environment={"PGDATA": own.folder},
        labels=dict(labels),
        network_mode="none",
        volumes={volume: {"bind": own.mount, "mode": "rw"}, backups: {"bind": FOLDER, "mode": "ro"}},
        remove=True,
    )


def remove_folders(backups: str, image: str, folders: set[str], labels: Mapping[str, str]) -> None:
    """Remove folders of backups; those that are gone are no problem."""
    connect().containers.run(
        image,
        [f"{FOLDER}/{one}" for one in sorted(folders)],
        entrypoint=["rm", "-rf"],
        user="0",
        labels=dict(labels),
        network_mode="none",
        volumes={backups: {"bind": FOLDER, "mode": "rw"}},
        remove=True,
    )


def _run(container: Container, script: str, argument: str, user: str = "postgres") -> str:
    code, said, errors = run_in(container, ["sh", "-c", script, argument], user=user, seconds=SECONDS)
    if code:
        raise Rejected(f"{container.name}: {said}{errors}")
    return said
