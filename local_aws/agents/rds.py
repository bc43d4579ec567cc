"""The agent of RDS: what instances are asked to be, PostgreSQL servers are made to be."""

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from docker.errors import DockerException

from delivery.errors import HeadwayError, Misconfigured
from local_aws.agents.agent import Agent, log
from local_aws.agents.postgres import Postgres, address_of, forget_backups, let_in
from local_aws.agents.postgres_backups import begin_archive, copy_data, next_transaction, now_of, upload
from local_aws.installation import Installation
from local_aws.pace import seconds_of
from local_aws.services import rds_snapshots
from local_aws.services.rds_records import DATABASES, Database, tell
from local_aws.services.rds_secrets import password_of
from local_aws.services.rds_versions import major_of

AT_ONCE = 4
REPAIR_SECONDS = 2.0  # so often it is looked whether what is available still runs
AGAIN_SECONDS = 2.0
UPLOAD_SECONDS = 300  # of AWS: so often it uploads what was written meanwhile
WAY_UP = ("creating", "starting", "modifying", "resetting-master-credentials", "rebooting")


class RdsAgent(Agent):
    """Instances side by side, each by one thread at a time."""

    def __init__(self, here: Installation) -> None:
        super().__init__("rds")
        self._here = here
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rds")
        self._under_way: dict[str, Future[None]] = {}
        self._not_before: dict[str, float] = {}
        self._resting = set[str]()  # those that nothing was wrong with
        self._uploads: dict[str, tuple[float, int]] = {}  # when the next one is, and where the one before ended

    def look(self) -> None:
        """Begin what is to be done for each instance, but for those that something is done for already."""
        for database in list(DATABASES.values()):
            key, now = database.key, time.monotonic()
            under_way = self._under_way.get(key)
            if (under_way is None or under_way.done()) and (
                self._not_before.get(key, 0) <= now or (key in self._resting and rds_snapshots.unfinished(key))
            ):
                self._under_way[key] = self._pool.submit(self._tended, database)
        if gone := rds_snapshots.GONE - rds_snapshots.folders_in_use():
            forget_backups(self._here, gone)
            rds_snapshots.GONE.difference_update(gone)

    def end(self) -> None:
        """Stop the servers; the next start of the local AWS starts those that are to run."""
        super().end()
        self.join()  # a look may have a container run
        self._pool.shutdown(cancel_futures=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._stop_server, list(DATABASES)))

    def _stop_server(self, key: str) -> None:
        with contextlib.suppress(DockerException, HeadwayError):  # an engine that is gone runs nothing
            Postgres(self._here, key).stop()

    def _tended(self, database: Database) -> None:
        try:
            self._tend(database)
        except Exception as error:
            log.warning("the instance %s: %s", database.instance.db_instance_identifier, error)
            self._resting.discard(database.key)
            self._not_before[database.key] = time.monotonic() + AGAIN_SECONDS

    def _tend(self, database: Database) -> None:
        # What is wanted is read first: what is asked for from here on is the next look's.
        wanted, status, asked_at = database.wanted, database.instance.status, database.asked_at
        server = Postgres(self._here, database.key)
        if status in WAY_UP:
            if status == "rebooting":
                server.restart(asked_at)
            self._bring_up(database, server, wanted)
        elif status == "stopping":
            self._back_up(database, server, last=True)
            server.stop()
            tell(database, wanted, "stopped")
        elif status == "deleting":
            self._back_up(database, server, last=database.keeps_backups)
            server.remove()
            tell(database, wanted, "deleted", uploaded=database.uploaded.isoformat() if database.uploaded else "")
        elif status == "available":
            if not server.is_running():
                log.warning("the server of %s had ended", database.instance.db_instance_identifier)
                self._bring_up(database, server, wanted)
            self._back_up(database, server)
            self._resting.add(database.key)
            self._not_before[database.key] = time.monotonic() + REPAIR_SECONDS

    def _bring_up(self, database: Database, server: Postgres, wanted: int) -> None:
        instance = database.instance
        password = password_of(database)
        promised = [one.address for one in list(DATABASES.values())]
        made_from = database.made_from if instance.status == "creating" else None
        if made_from and made_from.key and made_from.key in DATABASES:
            self._upload(DATABASES[made_from.key], Postgres(self._here, made_from.key))
        try:
            container = server.start(
                major_of(instance.engine_version), int(instance.port or 0), database.address, promised, made_from
            )
        except Misconfigured as error:  # there is no such image: nothing that is tried again helps
            log.error("%s", error)
            tell(database, wanted, "failed")
            return
        let_in(container, user=str(instance.master_username), password=password, name=instance.db_name or "")
        tell(database, wanted, "available", address=address_of(container))

    def _back_up(self, database: Database, server: Postgres, *, last: bool = False) -> None:
        """Make the snapshots that are asked for, and archive what was committed when it is time, or for the last time.

        A server that does not run is started when a snapshot of it is asked for.
        """
        key, unfinished = database.key, rds_snapshots.unfinished(database.key)
        if database.instance.status == "deleting" and not database.keeps_backups:
            unfinished = [pair for pair in unfinished if pair[0].snapshot_type == "manual"]
        container = server.found()
        if container is None or (container.status != "running" and not unfinished):
            return
        if container.status != "running":
            container.start()
            let_in(container, user=str(database.instance.master_username), password=password_of(database), name="")
        for snapshot, held in unfinished:
            if snapshot.snapshot_type == "automated":
                begin_archive(container, key)
            rds_snapshots.tell(snapshot, "available", copy_data(container, held.folder))
        if rds_snapshots.bases(key):
            due, before = self._uploads.get(key, (0.0, 0))
            if last or due <= time.monotonic():
                if last or next_transaction(container) != before:
                    self._upload(database, server)
                else:
                    database.uploaded = datetime.fromisoformat(now_of(container))
                self._uploads[key] = time.monotonic() + seconds_of(UPLOAD_SECONDS), next_transaction(container)

    def _upload(self, database: Database, server: Postgres) -> None:
        """Archive what an instance committed until now, when its server runs."""
        container = server.found()
        if container is not None and container.status == "running" and rds_snapshots.bases(database.key):
            database.uploaded = datetime.fromisoformat(upload(container, database.key))
