"""A second region: AWS Backup copies backups of the instance there, and restores them without the first one.

What is copied is a snapshot: how old the newest one is, is what is lost with the first region.
"""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from delivery.aws.access import AwsAccess
from delivery.aws.backup_jobs import BACKUP_SECONDS, COPY_SECONDS, BackupJobs, token_of
from delivery.aws.deadlines import Deadline
from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase
from delivery.aws.rds_copies import RESTORE_SECONDS
from delivery.aws.rds_looks import Look, Looks, comparable
from delivery.aws.rds_reading import look_at, run_sql
from delivery.aws.rds_snapshots import ROLE as BACKUP
from delivery.aws.rds_snapshots import identifier
from delivery.aws.second_drill import SecondDrill
from delivery.aws.second_instances import SecondInstances, check_instance_name
from delivery.aws.second_settings import SecondSettings
from delivery.aws.second_vault import SecondVault
from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_ROLE, LABEL_RUN
from delivery.errors import HeadwayError, Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.backups import Restored, compare, counted_states
from delivery.ports.drills import Drill
from delivery.ports.second_place import Copies
from delivery.ports.table_states import SENTINEL, TableState
from delivery.programs import postgres
from delivery.programs.postgres_managed import managed_mark_script
from delivery.spec.backups import DrillCheck

NAMED, ABANDONED = "second-region", timedelta(days=2)  # a copy may take long, and its run be gone on with
UNREAD = "what is in it was not looked at: nobody says target.second_region.tasks"


class SecondRegion:
    """Copies of the backups of an environment's instance, in a vault of AWS Backup in another region.

    Nothing is asked, nor is anybody's role assumed, before it is used: most who open an environment do not.
    """

    def __init__(
        self,
        own: RdsDatabase,
        home: Home,
        access: AwsAccess,
        settings: SecondSettings,
        without: tuple[DrillCheck, ...] = (),
    ) -> None:
        self.own, self.access, self.settings, self.without = own, access, settings, without
        self.looks = Looks(home, own.environment.app, own.environment.environment)

    @cached_property
    def jobs(self) -> BackupJobs:
        """The jobs of the first region."""
        client = self.access.in_phase("backup").client("backup")
        return BackupJobs(client, self.settings.role, self.settings.vault)

    @cached_property
    def vault(self) -> SecondVault:
        """The vault of the second region, where the first one is not asked."""
        keeping, first = self._there.in_phase("backup"), str(self.own.client.meta.region_name)
        jobs = BackupJobs(keeping.client("backup"), self.settings.role, self.settings.copy_name)
        return SecondVault(jobs, keeping.client("rds"), self.settings, self.own.settings.instance, first)

    @cached_property
    def instances(self) -> SecondInstances:
        """What is restored there."""
        return SecondInstances(self.vault, self.own.environment)

    @property
    def _there(self) -> AwsAccess:
        return self.access.in_region(self.settings.region)

    def copies(self) -> Copies:
        """Ask the vault there, and the first region how the newest copy went."""
        try:
            points = self.vault.points()
        except HeadwayError as error:
            return Copies(where=self.settings.place, problem=str(error))
        if not points:
            return Copies(where=self.settings.place, problem=self._failed(None))
        newest = points[0]
        lag = max(0.0, (newest.there - newest.at).total_seconds())
        return Copies(
            where=self.settings.place,
            newest=newest.at,
            lag_seconds=round(lag, 3),
            count=len(points),
            problem=self._failed(newest.there),
        )

    def send(self, run: str) -> Copies:
        """Let AWS Backup take a backup into the vault here, and copy it into the one there; a run sends one."""
        instance = self.own.describe() if self.own.find() else None
        if instance is None:
            raise Rejected(f"RDS instance {self.own.settings.instance} is gone, so nothing was sent")
        self.instances.sweep()
        for abandoned in self.looks.abandoned(NAMED, datetime.now(UTC) - ABANDONED):
            self._give_up(abandoned)
        key = identifier(NAMED, run)
        begun = self.looks.begin_with(key, self._marked)
        try:
            point = self._taken(str(instance["DBInstanceArn"]), begun, run)
        except (Misconfigured, Rejected):
            self._give_up(key)
            raise
        if self.looks.of(key) is None:
            last = postgres.remove_sentinel_script(begun.token)
            after = look_at(self.own, self.own.settings.name, last=last)
            self.looks.finish(key, after, datetime.now(UTC))
        vault, days = self.settings.copy_vault, self.settings.keep_days
        copying = self.jobs.copy(point, vault, token_of(begun.token, point), keep_days=days)
        copied = self.jobs.ended(copying, COPY_SECONDS)
        if copied.trouble:
            self.looks.forget(key)
            raise Rejected(copied.trouble)
        self.looks.keep_copy(key, str(copied.found["DestinationRecoveryPointArn"]))
        self.looks.forget_copies([one.arn for one in self.vault.points()])
        return self.copies()

    def sweep(self) -> tuple[str, ...]:
        """Remove the instances of drills that nobody needs any more; a region that does not answer keeps its own."""
        try:
            return self.instances.sweep()
        except HeadwayError:  # what is swept in the first region is not to wait for the second one
            return ()

    def drill(self, run: str, *, deadline_seconds: float) -> Drill:
        """Restore the newest copy, compare it with what was there, and see that damage would be noticed."""
        drill = SecondDrill(self.instances, self.looks, self._database, self.without)
        return drill.run(run, Deadline(deadline_seconds))

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Restore a copy as an instance called `into`; the first region is not asked for anything.

        One that does not hold what was there stays all the same: there may be no better one.
        """
        started = time.monotonic()
        check_instance_name(into)
        if self.settings.lacks:
            raise Misconfigured(
                f"restore in {self.settings.place}",
                f"nobody says {self.settings.lacks}, and AWS would take its default network",
                next_step="say it in headway.yaml, or apply an infrastructure that has the output second_region",
            )
        point = self.vault.point(name)
        self.instances.kept(point, into, run, Deadline(RESTORE_SECONDS))
        database, look = self._database(into), self.looks.of_copy(point.arn)
        if database is None:
            tables, rows = (look.tables, look.rows) if look else (0, 0)
            told: tuple[str, ...] = (UNREAD,)
        else:
            found = look_at(database, database.settings.name)
            tables, rows = counted_states(found)
            told = self._compared(database, look, found, into)
        seconds = round(time.monotonic() - started, 3)
        return Restored(
            backup=point.name, database=into, tables=tables, rows=rows, seconds=seconds, at=point.at, beside=told
        )

    def _marked(self, token: str) -> Look:
        """Look at the database, with a sentinel in it that is not older than the look."""
        database, marked = self.own.settings.name, datetime.now(UTC)
        states = look_at(self.own, database, first=managed_mark_script(database, token))
        return Look(token=token, marked=marked, states=states)

    def _taken(self, instance_arn: str, begun: Look, run: str) -> str:
        """Return the recovery point of a backup into the vault here, that of a process before this one if there is."""
        own, token = self.own.environment, token_of(begun.token)
        tags = {LABEL_APP: own.app, LABEL_ENVIRONMENT: own.environment, LABEL_ROLE: BACKUP, LABEL_RUN: run}
        job = self.jobs.back_up(instance_arn, token, keep_days=self.settings.keep_days, tags=tags)
        taken = self.jobs.ended(job, BACKUP_SECONDS)
        if taken.trouble:
            raise Rejected(taken.trouble)
        return str(taken.found["RecoveryPointArn"])

    def _give_up(self, key: str) -> None:
        """Remove the sentinel, and what is known of a backup that there is not: the next call begins anew."""
        begun = self.looks.begun(key)
        if begun and self.looks.of(key) is None:
            with suppress(HeadwayError):
                run_sql(self.own, self.own.settings.name, postgres.remove_sentinel_script(begun.token))
        self.looks.forget(key)

    def _failed(self, since: datetime | None) -> str:
        """Return how the newest copy failed that is not there; empty when none did."""
        try:
            asked = self.jobs.copies_to(self.settings.copy_vault, self.own.settings.instance)
        except HeadwayError as error:
            return f"how the newest copy went cannot be asked: {error}"
        newest = asked[-1] if asked else None
        return newest.trouble if newest and (since is None or newest.created > since) else ""

    def _database(self, instance: str) -> RdsDatabase | None:
        """Return the database of an instance there, which tasks there reach; none where there are no tasks."""
        if self.settings.tasks is None:
            return None
        own, reading = self.own, self._there.in_phase("migrate")
        jobs = EcsJobs(reading, self.settings.tasks, own.environment)
        return RdsDatabase(reading, jobs, own.environment, replace(own.settings, instance=instance), own.run)

    def _compared(
        self, database: RdsDatabase, look: Look | None, found: tuple[TableState, ...], into: str
    ) -> tuple[str, ...]:
        """Return what is to be said of what was restored; Rejected when it is not what was there."""
        if look is None:
            return ("what was in it when it was taken is not known here, so nothing was compared",)
        lines = compare(*map(_without_marks, comparable(look, found)))
        if lines:
            where = f"{into} in {self.settings.region}"
            raise Rejected(f"{where} holds other things than were there: {'; '.join(lines)}; it stays as it is")
        run_sql(database, database.settings.name, postgres.remove_sentinel_script(look.token))
        return ()


def _without_marks(states: tuple[TableState, ...]) -> tuple[TableState, ...]:
    """Return a look without sentinels: the own one of a database that stays is removed once it was compared."""
    return tuple(one for one in states if one.kind != SENTINEL)
