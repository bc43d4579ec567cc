"""The agent of RDS: what instances are asked to be, PostgreSQL servers are made to be."""

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor

from docker.errors import DockerException

from delivery.errors import HeadwayError, Misconfigured
from local_aws.agents.agent import Agent, log
from local_aws.agents.postgres import Postgres, address_of, let_in
from local_aws.installation import Installation
from local_aws.services.rds_records import DATABASES, Database, tell
from local_aws.services.rds_secrets import password_of
from local_aws.services.rds_versions import major_of

AT_ONCE = 4
REPAIR_SECONDS = 2.0  # so often it is looked whether what is available still runs
AGAIN_SECONDS = 2.0
WAY_UP = ("creating", "starting", "modifying", "resetting-master-credentials", "rebooting")


class RdsAgent(Agent):
    """Instances side by side, each by one thread at a time."""

    def __init__(self, here: Installation) -> None:
        super().__init__("rds")
        self._here = here
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rds")
        self._under_way: dict[str, Future[None]] = {}
        self._not_before: dict[str, float] = {}

    def look(self) -> None:
        """Begin what is to be done for each instance, but for those that something is done for already."""
        for database in list(DATABASES.values()):
            key, now = database.key, time.monotonic()
            under_way = self._under_way.get(key)
            if (under_way is None or under_way.done()) and self._not_before.get(key, 0) <= now:
                self._under_way[key] = self._pool.submit(self._tended, database)

    def end(self) -> None:
        """Stop the servers; the next start of the local AWS starts those that are to run."""
        super().end()
        self._pool.shutdown(cancel_futures=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._stop, list(DATABASES)))

    def _stop(self, key: str) -> None:
        with contextlib.suppress(DockerException, HeadwayError):  # an engine that is gone runs nothing
            Postgres(self._here, key).stop()

    def _tended(self, database: Database) -> None:
        try:
            self._tend(database)
        except Exception as error:
            log.warning("the instance %s: %s", database.instance.db_instance_identifier, error)
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
            server.stop()
            tell(database, wanted, "stopped")
        elif status == "deleting":
            server.remove()
            tell(database, wanted, "deleted")
        elif status == "available":
            if not server.is_running():
                log.warning("the server of %s had ended", database.instance.db_instance_identifier)
                self._bring_up(database, server, wanted)
            self._not_before[database.key] = time.monotonic() + REPAIR_SECONDS

    def _bring_up(self, database: Database, server: Postgres, wanted: int) -> None:
        instance = database.instance
        password = password_of(database)
        promised = [one.address for one in list(DATABASES.values())]
        try:
            container = server.start(
                major_of(instance.engine_version), int(instance.port or 0), database.address, promised
            )
        except Misconfigured as error:  # there is no such image: nothing that is tried again helps
            log.error("%s", error)
            tell(database, wanted, "failed")
            return
        let_in(container, user=str(instance.master_username), password=password, name=instance.db_name or "")
        tell(database, wanted, "available", address=address_of(container))
