"""Backups on RDS: snapshots, restored into an instance of their own and read there before anybody relies on them."""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from pydantic import SecretStr

from delivery.aws.access import AwsAccess
from delivery.aws.deadlines import Deadline
from delivery.aws.rds import RdsDatabase
from delivery.aws.rds_copies import Copies, Source
from delivery.aws.rds_drill import RdsDrill
from delivery.aws.rds_looks import Look, Looks, comparable, of_dump
from delivery.aws.rds_reading import MOST_SECONDS, look_at, look_at_damaged, run_sql
from delivery.aws.rds_snapshots import AVAILABLE, FAILED, ROWS, Snapshots, snapshot_in, tags_of
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.backups import (
    BackupProof,
    KeptBackup,
    Masked,
    Reason,
    Restored,
    counted_states,
    lacking,
    other_rows,
    prove,
)
from delivery.ports.database import DatabaseAccess, check_free, unfinished_in, unfinished_name
from delivery.ports.drills import Drill, LiveCode, Reach
from delivery.programs import postgres, postgres_change, postgres_managed
from delivery.spec.backups import DrillCheck
from delivery.spec.masking import Masking

SHOWN = 5
NO_MOMENTS = "RDS instance {} keeps no automated backups, so no moment can be gone back to: BackupRetentionPeriod is 0"


class RdsBackups:
    """The backups of one environment's database on RDS; what was in each when it was taken is kept in the home.

    `keeping` asks RDS for snapshots and copies; what is done within a database is done as by a migration. A drill is
    `without` some checks. `sweep_elsewhere` removes what is left in a second region.
    """

    def __init__(
        self,
        own: RdsDatabase,
        home: Home,
        keeping: AwsAccess,
        without: tuple[DrillCheck, ...] = (),
        sweep_elsewhere: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        client = keeping.client("rds")
        self.own, self.copies, self.without = own, Copies(own, client), without
        self.sweep_elsewhere = sweep_elsewhere
        self.snapshots = Snapshots(client, own.settings.instance, own.environment)
        self.looks = Looks(home, own.environment.app, own.environment.environment)

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Let RDS make a snapshot, with a look at the database before and after it; a run makes one for a reason.

        Whoever comes after a kill goes on with it. A large object of our own is written just before, and removed again.
        """
        if self.own.find() is None:
            return None
        if self.own.describe() is None:
            raise Rejected(f"RDS instance {self.own.settings.instance} is gone, so nothing was backed up")
        self.copies.sweep()
        name = self.snapshots.identifier(run, reason)
        found = self.snapshots.find(name)
        if found is None or found["Status"] != AVAILABLE or ROWS not in tags_of(found):
            self._make(name, run, reason, found["Status"] if found else "")
            found = self.snapshots.awaited(name)
        kept = self.snapshots.kept_backup(found, self.own.settings.name)
        assert kept
        return kept

    def kept(self) -> tuple[KeptBackup, ...]:
        """Ask RDS for the snapshots of the instance, also of one that is gone."""
        found = self.snapshots.kept(self.own.settings.name)
        return tuple(one.model_copy(update={"proof": self.looks.proof(snapshot_in(one))}) for one in found)

    def prove(self, name: str, run: str) -> BackupProof:
        """Restore it into an instance of its own, compare, and damage the copy to see that this would be noticed."""
        kept = self._find(name)
        snapshot = snapshot_in(kept)
        look = self.looks.of(snapshot)
        if look is None:
            raise Misconfigured(
                f"backup {kept.name} of {kept.environment}",
                "what was in the database when it was taken is not known here, so nothing can be compared",
                "a backup that Headway took from here",
                f"headway restore {kept.name} --into NAME shows what is in it",
            )
        with self.copies.opened(Source(snapshot=snapshot), "proof", run) as copy:
            after = look_at(copy.database, kept.database)
            rto = (datetime.now(UTC) - copy.begun).total_seconds()
            copy.mark_damaged()
            was, found = comparable(look, after)
            damaged = look_at_damaged(copy.database, kept.database, found, look.token)
        proof = prove(
            was,
            found,
            comparable(look, damaged)[1],
            sentinel=postgres.sentinel_of(look.token),
            size_bytes=kept.size_bytes,
            rpo_seconds=kept.rpo_seconds,
            rto_seconds=rto,
            moved=len(look.moved),
        )
        self.looks.keep_proof(snapshot, proof)
        return proof

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Restore it into an instance of its own, and bring the database over to the environment's."""
        kept = self._find(name)
        look = self.looks.of(snapshot_in(kept))
        restored = self._restore(Source(snapshot=snapshot_in(kept)), kept.name, into, run, look)
        return restored.model_copy(update={"at": kept.at})

    def reach(self) -> Reach | None:
        """Return what RDS says of its automated backups."""
        return self.copies.reach()

    def drill(self, run: str, *, deadline_seconds: float, live: LiveCode | None = None) -> Drill | None:
        """Let RDS go back to just now with an instance of its own; it has failed where RDS keeps no automated backups.

        Nothing starts the live code there: that is told as not checked.
        """
        own = self.own.describe() if self.own.find() else None
        if own is None:
            return None
        if not own.get("BackupRetentionPeriod"):
            return Drill(
                at=datetime.now(UTC), outcome="fail", problems=(NO_MOMENTS.format(self.own.settings.instance),)
            )
        return RdsDrill(self.copies, self.looks, self.without, live is not None).run(run, Deadline(deadline_seconds))

    def restore_at(self, at: datetime, into: str, run: str) -> Restored:
        """Let RDS go back to the moment with an instance of its own, and bring the database over."""
        return self._restore(Source(at=at), at.isoformat(), into, run, None).model_copy(update={"at": at})

    def restore_masked(self, source: str, name: str, into: str, masking: Masking, run: str) -> Masked:
        """Raise Misconfigured: data of another environment comes from a backup on a Docker host."""
        where = f"headway.yaml: environments.{self.own.environment.environment}.refresh"
        raise Misconfigured(where, "the database is RDS's", "an environment on a Docker host")

    def sweep(self) -> tuple[str, ...]:
        """Remove the instances that nobody needs any more, in the second region as well, and databases not whole."""
        instances = tuple(f"RDS instance {name}" for name in (*self.copies.sweep(), *self.sweep_elsewhere()))
        return instances + tuple(f"database {name}" for name in self._drop_left())

    def forget(self, name: str) -> None:
        """Remove the snapshot and what is known of it, when Headway took it."""
        for one in self.snapshots.kept(self.own.settings.name):
            if one.name == name and not one.of_the_place:
                self.snapshots.delete(snapshot_in(one))
                self.looks.forget(snapshot_in(one))

    def _make(self, name: str, run: str, reason: Reason, status: str) -> None:
        """Make the snapshot, or go on with what a process before this one made of it, which has a `status`."""
        database, token = self.own.settings.name, sha256(name.encode()).hexdigest()[:32]
        unknown = self.looks.begun(name) is None  # nobody knows any more what was there before it
        if status == FAILED or (status and unknown):
            self.snapshots.remove(name)
            status = ""
        if not status:
            marked = datetime.now(UTC)
            states = look_at(self.own, database, first=postgres_managed.managed_mark_script(database, token))
            self.looks.forget(name)
            self.looks.begin(name, Look(token=token, marked=marked, states=states))
            self.snapshots.begin(name, run, reason)
        found = self.snapshots.awaited(name)
        look = self.looks.of(name)
        if look is None:
            ended = datetime.now(UTC)
            after = look_at(self.own, database, last=postgres.remove_sentinel_script(token))
            look = self.looks.finish(name, after, ended)
        self.snapshots.finish(found, tables=look.tables, rows=look.rows, rpo_seconds=look.rpo_seconds)

    def _restore(self, source: Source, told: str, into: str, run: str, look: Look | None) -> Restored:
        """Bring the database of a copy over under another name, compare it there, and call it `into` then."""
        started, was = time.monotonic(), self.own.settings.name
        check_free(into, self.own.beside(), self.own.environment.environment)
        unfinished = unfinished_name(into)
        with self.copies.opened(source, "restore", run) as copy:
            before = look_at(copy.database, was)
            theirs = copy.database.administrator(copy.database.available())
            self._drop_left()
            try:
                self._transfer(theirs, was, unfinished)
                found = look_at(self.own, unfinished)
                missing = [*lacking(of_dump(before), of_dump(found))]
                if look:
                    missing += lacking(*comparable(look, before))
                if missing:
                    raise Rejected(f"backup {told} came back otherwise than it was: {'; '.join(missing)}")
                if look:
                    run_sql(self.own, unfinished, postgres.remove_sentinel_script(look.token))
                run_sql(self.own, was, postgres_managed.rename_script(unfinished, into))
            except BaseException:
                with contextlib.suppress(Rejected):
                    self._drop(unfinished)
                raise
        tables, rows = counted_states(found)
        seconds = round(time.monotonic() - started, 3)
        beside = other_rows(found, look_at(self.own, was))
        return Restored(backup=told, database=into, tables=tables, rows=rows, seconds=seconds, beside=beside)

    def _transfer(self, theirs: DatabaseAccess, was: str, into: str) -> None:
        env = {
            f"{postgres_managed.SOURCE}_HOST": theirs.host,
            f"{postgres_managed.SOURCE}_PORT": str(theirs.port),
            f"{postgres_managed.SOURCE}_USER": theirs.user,
        }
        self.own.run_program(
            postgres_managed.transfer_argv(was, into),
            self.own.administrator(self.own.available()),
            {postgres_managed.SOURCE_PASSWORD: SecretStr(theirs.password.get_secret_value())},
            env=env,
            seconds=MOST_SECONDS,
        )

    def _drop_left(self) -> tuple[str, ...]:
        """Remove what restores before this one began on the instance and did not end; return the names of it."""
        left = unfinished_in(self.own.beside())
        for name in left:
            self._drop(name)
        return left

    def _drop(self, name: str) -> None:
        run_sql(self.own, self.own.settings.name, postgres_change.drop_script(name))

    def _find(self, name: str) -> KeptBackup:
        known = self.kept()
        matching = known[:1] if name == "latest" else [one for one in known if one.name.startswith(name)]
        if len(matching) != 1:
            raise Misconfigured(
                f"backup {name} of {self.own.environment.environment} of {self.own.environment.app}",
                "is not kept" if not matching else "fits several",
                ", ".join(one.name for one in known[:SHOWN]) or "none is kept",
                "headway backups shows all of them",
            )
        return matching[0]
