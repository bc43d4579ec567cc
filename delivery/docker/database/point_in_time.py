"""A database as it was at a moment: a base backup, and the WAL replayed up to it, on a server of its own."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from docker.errors import APIError
from docker.models.containers import Container

from delivery.docker.database import backup
from delivery.docker.database.database_image import database_image
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.roles import admin_access
from delivery.docker.database.wal_archive import Base, WalArchive, last_lines_of
from delivery.docker.database.wal_scripts import FOLDER
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.sandbox.deadline import Deadline
from delivery.docker.sandbox.sandbox import STOPPED, Sandbox, open_sandbox, outlasting
from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import KeptBackup
from delivery.ports.database import ALIAS, DatabaseAccess
from delivery.waiting import until

PLACE = "/restore"
REPLAY_SECONDS = 6 * 3600.0
REPLAYED = ("recovery stopping before", "recovery stopping after")  # what a server says that reached its target
SHORT = "recovery ended before configured recovery target was reached"
COMPLETE = "archive recovery complete"
_COMMIT = re.compile(r"last completed transaction was at log time (\S+ \S+)")
BROKEN = ("does not exist", "not a valid data directory", "could not open", "invalid")
LAST_LINES = 15
OTHER_VERSION, NO_ROOM = 71, 72  # exit codes of the script that lays a base backup out
VERIFY_SECONDS = 6 * 3600.0
_LAY = f"""
set -e
from=$0
wal=${{from%/base/*}}/wal
has=$(cat "$from/PG_VERSION")
runs=$(postgres --version | sed 's/^[^0-9]*//; s/[^0-9].*//')
if [ "$has" != "$runs" ]; then
  echo "the base backup is of PostgreSQL $has, the image has $runs"
  exit {OTHER_VERSION}
fi
need=$(du -sk "$from" | cut -f1)
free=$(df -Pk {PLACE} | awk 'NR == 2 {{ print $4 }}')
if [ "$free" -lt $((need + need / 10)) ]; then
  echo "$((need / 1024)) MB are copied, $((free / 1024)) MB are free on the engine's disk"
  exit {NO_ROOM}
fi
cp -a "$from" {PLACE}/data
rm -rf {PLACE}/data/postgresql.auto.conf
# Without hot_standby it replays what a server wrote that had more connections than this one, which lacks what was
# set by ALTER SYSTEM: https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN
cat >{PLACE}/data/postgresql.auto.conf <<END
restore_command = 'cp "$wal/%f" "%p" 2>/dev/null || cp "$wal/%f.partial" "%p"'
recovery_target_time = '$1'
recovery_target_inclusive = off
recovery_target_action = promote
hot_standby = off
archive_mode = off
max_slot_wal_keep_size = -1
END
touch {PLACE}/data/recovery.signal
chmod 0700 {PLACE}/data
chmod a+rx {PLACE}
chown -R "$2" {PLACE}
# The server reads the WAL where it is, as who it runs as, while root goes on writing there: what was not complete
# when the folder was read may be by now, and is called otherwise then.
for file in "$wal"/*; do
  chown "$2" "$file" 2>/dev/null || chown "$2" "${{file%.partial}}"
done
"""
# It goes on from where it ended, to the end; printed is the newest segment that is archived, without its timeline.
_NO_TARGET = f"""
set -e
sed -i '/^recovery_target/d' {PLACE}/data/postgresql.auto.conf
ls "$0" | cut -c9-24 | sort | tail -n 1
"""


@dataclass(frozen=True)
class Replayed:
    """A server with the database as it was `at` a moment, laid out by `layer` from `base`; `seconds` to its answer."""

    sandbox: Sandbox
    server: Container
    layer: Container
    base: Base
    at: datetime
    seconds: float

    def rotten(self) -> list[str]:
        """Return what of the base backup in the archive is not as it was when it was taken."""
        argv = ["pg_verifybackup", "--no-parse-wal", "--quiet", self.base.folder]
        code, output, errors = run_in(self.layer, argv, user="0", seconds=VERIFY_SECONDS)
        said = last_lines_of(output + errors, LAST_LINES)
        return [f"the base backup is not as it was taken: {said}"] if code else []


def take_at(keeper: Keeper, archive: WalArchive, access: DatabaseAccess, moment: datetime, run: str) -> KeptBackup:
    """Return a backup, kept like any other, of the database as it was just before `moment`.

    Of a server that was lost it is as of its last commit, where `moment` is after that.
    """
    with replayed(keeper, archive, access, moment, run) as found:
        return keeper.keep_from(found.server, access, found.at, run, "of a moment")


@contextmanager
def replayed(
    keeper: Keeper,
    archive: WalArchive,
    access: DatabaseAccess,
    moment: datetime,
    run: str,
    *,
    deadline: Deadline | None = None,
    networked: bool = False,
) -> Iterator[Replayed]:
    """Yield a server of its own on which the database is as it was just before `moment`; it is gone afterwards.

    What works on it ends with the `deadline`; `networked`: others in its sandbox reach it by its name. Raises
    Misconfigured for a moment that cannot be reached, with those that can; Rejected when the WAL has a gap or the
    server stops.
    """
    bases, latest = archive.all_bases(), archive.arrive()
    fitting = [base for base in bases if base.at <= moment]
    if not fitting or moment > latest:
        reach = (
            f"{bases[0].at:%Y-%m-%d %H:%M:%S} to {latest:%Y-%m-%d %H:%M:%S} UTC" if bases else "none: no base backup"
        )
        where = f"{keeper.names.environment} of {keeper.names.app} at {moment:%Y-%m-%d %H:%M:%S} UTC"
        found = "is in the future of its archive" if moment > latest else "is before its first base backup"
        raise Misconfigured(where, found, reach)
    started, base = time.monotonic(), fitting[-1]
    with open_sandbox(keeper.home, run, "restore", host=keeper.host, lives=outlasting(REPLAY_SECONDS)) as sandbox:
        if deadline:
            deadline.hold(sandbox)
        if networked:
            sandbox.add_network()
        layer, server = _start(sandbox, keeper, access, base, moment)
        at = _reached(layer, server, base, moment, lost=base.is_of_lost(archive.system()))
        yield Replayed(sandbox, server, layer, base, at, time.monotonic() - started)


def _start(
    sandbox: Sandbox, keeper: Keeper, access: DatabaseAccess, base: Base, moment: datetime
) -> tuple[Container, Container]:
    """Return what laid the base backup out, and the server that replays the WAL on it."""
    about = database_image(sandbox.client, keeper.image)
    place, files = sandbox.add_volume("place"), sandbox.add_volume()
    laid = {keeper.names.archive: {"bind": FOLDER, "mode": "rw"}, place: {"bind": PLACE, "mode": "rw"}}
    layer = sandbox.start("lay", keeper.image, ["sleep", "infinity"], volumes=laid, user="0", entrypoint=[])
    target = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    argv = ["sh", "-c", _LAY, base.folder, target, "postgres" if about.is_root else about.user]
    code, output, errors = run_in(layer, argv, user="0", seconds=REPLAY_SECONDS)
    _check_laid(code, last_lines_of(output + errors, LAST_LINES), keeper)
    environment = {
        "PGDATA": f"{PLACE}/data",
        "PGHOST": "127.0.0.1",
        "PGUSER": admin_access(keeper.server(sandbox)).user,
        "PGDATABASE": access.name,
    }
    server = sandbox.start(
        ALIAS,
        keeper.image,
        ["postgres", "-c", "logging_collector=off", "-c", "log_min_messages=log"],
        env=environment,
        volumes={
            keeper.names.archive: {"bind": FOLDER, "mode": "ro"},
            place: {"bind": PLACE, "mode": "rw"},
            files: {"bind": backup.VOLUME, "mode": "rw"},
        },
        shm_size="256m",
    )
    return layer, server


def _check_laid(code: int, said: str, keeper: Keeper) -> None:
    """Return when a base backup was laid out whole; the error that fits what the script said otherwise."""
    where = f"the archive of {keeper.names.environment} of {keeper.names.app}"
    if code == OTHER_VERSION:
        allowed = "an image of the same major version: https://www.postgresql.org/docs/current/upgrading.html"
        raise Misconfigured(where, said, allowed, "headway restore BACKUP: a dump goes into a newer version")
    if code == NO_ROOM:
        raise Rejected(f"no room for a copy of {where}: {said}\n  next: docker system df shows what takes the space")
    if code:
        raise Rejected(f"the base backup could not be laid out; the last lines:\n{said}")


def _reached(layer: Container, server: Container, base: Base, moment: datetime, *, lost: bool) -> datetime:
    """Return the moment that the server has replayed up to and takes writes at; Rejected when it cannot.

    Of a server that was `lost` with its volume that is its last commit, where `moment` is after it.
    """
    is_over, said = _await_end(server)
    if is_over and any(word in said for word in REPLAYED):
        return moment
    if lost and SHORT in said:
        return _replay_all(layer, server, base)
    raise _not_replayed(said)


def _replay_all(layer: Container, server: Container, base: Base) -> datetime:
    """Let a server that ended short of its target replay all that there is, and return when its last commit was.

    Rejected when it does not come to the last of the WAL that was archived: then some of it is damaged.
    """
    wal = f"{base.folder.rpartition('/base/')[0]}/wal"
    code, newest, errors = run_in(layer, ["sh", "-c", _NO_TARGET, wal], user="0")
    if code:
        raise _not_replayed(errors)
    server.start()
    is_over, said = _await_end(server)
    if not is_over or COMPLETE not in said:
        raise _not_replayed(said)
    argv = ["psql", "-XqAtw", "-d", "template1", "-c", "select substr(pg_walfile_name(pg_last_wal_replay_lsn()), 9)"]
    last = run_in(server, argv)[1].strip()
    if last < newest.strip():
        raise _not_replayed(f"it ends in segment {last}, and {newest.strip()} is archived")
    commits = _COMMIT.findall(said)
    return datetime.fromisoformat(commits[-1]).astimezone(UTC) if commits else base.at


def _await_end(server: Container) -> tuple[bool, str]:
    """Return whether the server takes writes, once it does or never will, and all that it said."""
    refusals: list[str] = []

    def is_over() -> bool:
        argv = ["psql", "-XqAtw", "-d", "template1", "-c", "select pg_is_in_recovery()"]
        try:
            code, output, errors = run_in(server, argv)
        except APIError:  # it stops just now; `has_ended` finds out
            return False
        # It runs and lets nobody in: what it was made from is no whole base backup.
        refusals.extend([errors] if code and any(word in errors for word in BROKEN) else [])
        return code == 0 and output.strip() == "f"

    def has_ended() -> bool:
        server.reload()
        return server.status in STOPPED or bool(refusals)

    ended_well = until(is_over, seconds=REPLAY_SECONDS, every=0.1, unless=has_ended)
    return ended_well, "\n".join([server.logs().decode(errors="replace"), *refusals])


def _not_replayed(said: str) -> Rejected:
    lines = last_lines_of(said, LAST_LINES)
    return Rejected(f"the WAL could not be replayed up to that moment; the last lines:\n{lines}")
