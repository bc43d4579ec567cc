"""Every change of a database, archived as it is written: base backups, and the WAL from the first of them on.

A container of its own shares the network of the database's server, which lets replication in from there alone (the
lines that `initdb` writes into pg_hba.conf), so the server and its image stay as they are.
https://www.postgresql.org/docs/current/continuous-archiving.html
"""

import contextlib
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from delivery.changes.ledger import environment_labels
from delivery.docker.database.roles import admin_access, run_script
from delivery.docker.database.wal_scripts import BASE, BASE_NAME, CUT, CUT_OFF, FOLDER, PRUNE, RECEIVE, SLOT
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.errors import Misconfigured, Rejected
from delivery.ports.drills import Reach
from delivery.waiting import until

_log = logging.getLogger(__name__)

ROLE = "archive"
BASE_SECONDS = 6 * 3600.0
ARRIVES_SECONDS = 60.0
LAST_LINES = 10
MOST_KEPT_MB = 4096  # by the server for an archive that is away; after that it begins anew
REMOVED = "has already been removed"  # what a server says of WAL that the archive needs next


@dataclass(frozen=True)
class Base:
    """A base backup: from which moment on it leads, and the system that it is of, with what tells that it was cut."""

    at: datetime
    system: str

    def is_of_lost(self, now: str) -> bool:
        """Whether its server was lost, with nothing written after its last WAL; `now` is the system that there is."""
        return CUT not in self.system and self.system != now

    @property
    def folder(self) -> str:
        """Where its files are in the archive."""
        return f"{FOLDER}/{self.system}/base/{self.at.strftime(BASE_NAME)}"


class WalArchive:
    """The archive of one environment's database, kept in a volume on the same engine."""

    def __init__(self, client: DockerClient, names: EnvironmentNames, image: str) -> None:
        self.client, self.names, self.image = client, names, image

    def ensure(self) -> None:
        """Return when everything that the server writes from now on is archived; the first base backup is taken then.

        Where the server has not kept what the archive needs next, it begins anew. Raises Rejected when the server lets
        no replication in, with what it said.
        """
        server = self.client.containers.get(self.names.database)
        if self._is_lost(server):
            self._begin_anew(server)
        found = self._started(server)
        if not self._arrives(server, found) and self._lacks_wal(found):
            self._begin_anew(server)
            found = self._started(server)
        if not self._arrives(server, found):
            raise Rejected(
                f"the WAL of {server.name} is not archived; its archive says:\n{self._said(found)}\n"
                f"  next: docker logs {self.names.archive}"
            )
        if not self.bases():
            self.take_base()

    def _begin_anew(self, server: Container) -> None:
        _log.warning("%s has not kept all WAL for its archive, which begins anew; what is in it stays", server.name)
        self.end()

    def _started(self, server: Container) -> Container:
        """Return what archives the WAL of the server, running."""
        if (found := self.container()) and not self._follows(found, server):
            found.remove(force=True)
            found = None
        if found is None:
            limit = f"alter system set max_slot_wal_keep_size = '{MOST_KEPT_MB}MB';\nselect pg_reload_conf();\n"
            run_script(server, limit, "the server's WAL could not be bounded")
            found = self._create(server)
        if found.status != "running":
            found.start()
        return found

    def _arrives(self, server: Container, archive: Container) -> bool:
        def is_followed() -> bool:
            return self._is_followed(server) and not self._lacks_wal(archive)

        lacks = partial(self._lacks_wal, archive)
        return until(is_followed, seconds=ARRIVES_SECONDS, every=0.2, unless=lacks)

    def _is_lost(self, server: Container) -> bool:
        """Whether the server gave up what it kept for the archive."""
        script = f"select wal_status from pg_replication_slots where slot_name = '{SLOT}';\n"  # noqa: S608
        return run_script(server, script, "the archive cannot be looked at").strip() == "lost"

    def _lacks_wal(self, archive: Container) -> bool:
        """Whether it ends, and is started over and over, because the server has not what comes next."""
        return REMOVED in archive.logs(tail=2).decode(errors="replace")

    def end(self) -> None:
        """Return when nothing is archived any more; what was archived stays in its volume, laid aside."""
        found = self.container()
        if found is None:
            return
        found.remove(force=True)
        dropped = f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{SLOT}';\n"  # noqa: S608
        script = f"select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '{SLOT}';\n"  # noqa: S608
        server = self.client.containers.get(self.names.database)
        run_script(server, script + dropped, "the archive's slot could not be dropped")
        self.client.containers.run(
            self.image,
            [CUT_OFF, datetime.now(UTC).strftime(BASE_NAME)],
            entrypoint=["sh", "-c"],
            user="0",
            network_mode="none",
            volumes={self.names.archive: {"bind": FOLDER, "mode": "rw"}},
            remove=True,
        )

    def container(self) -> Container | None:
        """Return what archives, or none."""
        try:
            return self.client.containers.get(self.names.archive)
        except NotFound:
            return None

    def take_base(self) -> datetime:
        """Take a base backup, verified by its manifest, and return the first moment that it leads to."""
        archive = self._running()
        user = admin_access(self.client.containers.get(self.names.database)).user
        argv = ["sh", "-c", BASE, user, secrets.token_hex(4)]
        code, output, errors = run_in(archive, argv, user="0", seconds=BASE_SECONDS)
        if code:
            raise Rejected(f"the base backup failed; the last lines:\n{last_lines_of(output + errors)}")
        return max(self.bases())

    def bases(self) -> list[datetime]:
        """Return from which moments on each base backup leads, oldest first."""
        archive = self.container()
        if archive is None or archive.status != "running":
            return []
        system = self.system()
        return [base.at for base in self.all_bases() if base.system == system]

    def system(self) -> str:
        """Return which system the server is whose WAL is archived now."""
        return run_in(self._running(), ["cat", f"{FOLDER}/system"], user="0")[1].strip()

    def all_bases(self) -> list[Base]:
        """Return the base backups of this server, and of those that were lost with their data, oldest first."""
        archive = self.container()
        if archive is None or archive.status != "running":
            return []
        _, output, _ = run_in(archive, ["sh", "-c", f"ls -d {FOLDER}/[0-9]*/base/*"], user="0")
        found = []
        for path in output.split():
            with contextlib.suppress(ValueError):
                at = datetime.strptime(path.rpartition("/")[2], BASE_NAME).replace(tzinfo=UTC)
                found.append(Base(at, path.split("/")[-3]))
        return sorted(found, key=lambda base: base.at)

    def arrive(self) -> datetime:
        """Return a moment up to which everything is archived: a record is written, and waited for.

        Without it nothing could be replayed up to a moment at which nobody changed anything.
        """
        server = self.client.containers.get(self.names.database)
        script = (
            "select clock_timestamp() at time zone 'utc';\n"
            "select pg_logical_emit_message(true, 'headway', 'archive');\nselect pg_switch_wal();\n"
        )
        moment, *_, position = run_script(server, script, "nothing could be written into the WAL").split("\n")[:3]
        flushed = f"select count(*) from pg_stat_replication where flush_lsn >= '{position}';\n"  # noqa: S608

        def is_there() -> bool:
            return run_script(server, flushed, "the archive cannot be looked at").strip() not in ("", "0")

        if not until(is_there, seconds=ARRIVES_SECONDS, every=0.2):
            raise Rejected(f"the archive of {server.name} did not get its last WAL within {ARRIVES_SECONDS:g} s")
        return datetime.fromisoformat(moment.strip()).replace(tzinfo=UTC)

    def reach(self) -> Reach | None:
        """Return which moments can be gone back to; none without a base backup. Rejected when it has stopped."""
        bases = self.bases()
        if not bases:
            return None
        server = self.client.containers.get(self.names.database)
        if not self._is_followed(server):
            raise Rejected(f"the WAL of {server.name} is not archived just now\n  next: headway run, or headway up")
        now = run_script(server, "select clock_timestamp() at time zone 'utc';\n", "the server cannot be asked")
        _, output, _ = run_in(self._running(), ["du", "-sk", FOLDER], user="0")
        latest = datetime.fromisoformat(now.strip()).replace(tzinfo=UTC)
        return Reach(bases[0], latest, 1024 * int(output.split()[0]))

    def prune(self, days: float) -> None:
        """Remove what no moment of the last `days` needs."""
        limit = datetime.now(UTC) - timedelta(days=days)
        argv = ["sh", "-c", PRUNE, "prune", limit.strftime(BASE_NAME), str(int(limit.timestamp()))]
        code, output, errors = run_in(self._running(), argv, user="0")
        if code:
            raise Rejected(f"the archive could not be pruned; the last lines:\n{last_lines_of(output + errors)}")

    def _create(self, server: Container) -> Container:
        labels = environment_labels(self.names.platform, self.names.app, self.names.environment, ROLE)
        self.client.volumes.create(self.names.archive, labels=labels)
        return self.client.containers.create(
            self.image,
            [RECEIVE, admin_access(server).user],
            entrypoint=["sh", "-c"],
            name=self.names.archive,
            labels=labels,
            user="0",
            environment={"PGPASSWORD": admin_access(server).password.get_secret_value()},
            network_mode=f"container:{server.id}",
            volumes={self.names.archive: {"bind": FOLDER, "mode": "rw"}},
            restart_policy={"Name": "unless-stopped"},  # type: ignore[arg-type]  # the stubs know two of four
        )

    def _follows(self, archive: Container, server: Container) -> bool:
        """Whether it shares the network of the container that is the server now, in the one that it has now."""
        if archive.attrs["HostConfig"]["NetworkMode"] != f"container:{server.id}":
            return False
        return archive.status == "running" or server.status == "running"

    def _is_followed(self, server: Container) -> bool:
        script = f"select active from pg_replication_slots where slot_name = '{SLOT}';\n"  # noqa: S608
        return run_script(server, script, "the archive cannot be looked at").strip() == "t"

    def _running(self) -> Container:
        found = self.container()
        if found is None or found.status != "running":
            where = f"archive of {self.names.environment} of {self.names.app}"
            raise Misconfigured(where, "does not run", next_step="environments.NAME.backups.any_second, headway run")
        return found

    def _said(self, archive: Container) -> str:
        return last_lines_of(archive.logs(tail=LAST_LINES).decode(errors="replace"))


def last_lines_of(text: str, count: int = LAST_LINES) -> str:
    """Return the last `count` lines of what a program said."""
    return "\n".join(text.strip().splitlines()[-count:])
