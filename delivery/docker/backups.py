"""The backups of a database on a Docker host: dumps, and an archive of every change where that is asked for."""

import time
from datetime import UTC, datetime, timedelta

from delivery.changes.kept import BackupFolder
from delivery.docker.cells.code_trial import START, trial_on, trial_run
from delivery.docker.database.beside import drop_left, running_container
from delivery.docker.database.drill import Application, DrillPlan, drill
from delivery.docker.database.masked import restore_masked
from delivery.docker.database.passwords import read_password
from delivery.docker.database.point_in_time import take_at
from delivery.docker.engine.client import connect
from delivery.docker.own_database import DockerDatabase
from delivery.docker.sandbox.sandbox import Sandbox, engine_errors
from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import BackupProof, KeptBackup, Masked, Reason, Restored, no_moments
from delivery.ports.database import DatabaseAccess, check_free
from delivery.ports.drills import Drill, LiveCode, Reach
from delivery.ports.registry import Registry
from delivery.spec.masking import Masking

BASE_EVERY = timedelta(hours=20)  # what is replayed is never longer than that by much


class DockerBackups:
    """Backups taken and restored in containers beside the environment's database, and kept in a folder of the home."""

    def __init__(self, own: DockerDatabase, registry: Registry | None = None) -> None:
        self.own, self.registry = own, registry
        self.folder = BackupFolder(own.home, own.names.app, own.names.environment)

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Dump it, and keep the dump with what was in the database at its moment."""
        if self.own.app.database is None:
            return None
        access = self.own.find()
        if access is None and read_password(self.own.home, self.own.names):
            where = f"{self.own.names.environment} of {self.own.names.app}"
            raise Rejected(f"the database of {where} is gone, so nothing was backed up\n  next: headway run")
        if access is None:
            return None
        kept = self.own.keeper().take(access, run, reason)
        if self.own.policy.any_second:
            self._renew_archive()
        return kept

    def _renew_archive(self) -> None:
        """Take a base backup when the last is a day old, so that no replay takes long; what is too old goes.

        The dump is good whatever the archive is: trouble with that is a warning here, and fails its drill.
        """
        with engine_errors():
            if not self.own.try_archive():
                return
            archive = self.own.archive()
            if datetime.now(UTC) - max(archive.bases()) > BASE_EVERY:
                archive.take_base()
            archive.prune(self.own.policy.any_second_days)

    def reach(self) -> Reach | None:
        """Ask the archive, where there is one."""
        with engine_errors():
            return self.own.archive().reach() if self.own.policy.any_second and self.own.find() else None

    def drill(self, run: str, *, deadline_seconds: float, live: LiveCode | None = None) -> Drill | None:
        """Replay what is archived on a server of its own, and check that."""
        access = self.own.find()
        if not self.own.policy.any_second or access is None:
            return None
        with engine_errors():
            plan = DrillPlan(deadline_seconds, self.own.policy.drill.without, self._application(live, run))
            return drill(self.own.keeper(), self.own.archive(), access, run, plan)

    def _application(self, live: LiveCode | None, run: str) -> Application | None:
        """Return what starts the live code on a copy, and has it asked by the suites that only read."""
        registry = self.registry
        if live is None or registry is None:
            return None
        images = {name: registry.reference(ref) for name, ref in live.code.images.items()}

        def tried(sandbox: Sandbox, access: DatabaseAccess) -> tuple[str, ...]:
            trial, found = trial_on(sandbox, access), []
            for name in live.suites or (START,):
                log, secrets = live.logs / f"{name}.log", live.secrets.get(name, {})
                problem = trial.problem(trial_run(live.code.app, name, images, run, log, secrets))
                found += [f"the application: {problem}"] if problem else []
            return tuple(found)

        return tried

    def take_at(self, moment: datetime, run: str) -> KeptBackup:
        """Replay what was archived up to the moment, on a server of its own, and keep a dump of that."""
        access = self.own.find()
        if not self.own.policy.any_second or access is None:
            where = f"headway.yaml: environments.{self.own.names.environment}.backups.any_second"
            raise Misconfigured(where, "is off: nothing is archived", "true", "set it, headway run; or headway backups")
        with engine_errors():
            return take_at(self.own.keeper(), self.own.archive(), access, moment, run)

    def kept(self) -> tuple[KeptBackup, ...]:
        """Read the folder; no engine is asked."""
        return self.folder.all()

    def prove(self, name: str, run: str) -> BackupProof:
        """Restore it into a server of its own, compare, and damage the copy to see that this would be noticed."""
        self.folder.find(name)
        return self.own.keeper().prove(name, run, self.own.policy.drill.deadline_seconds)

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Restore it on the environment's own server."""
        self.folder.find(name)
        access = self.own.ensure(anew=True)
        return self.own.keeper().restore(access, name, into, self.own.beside(), run)

    def restore_at(self, at: datetime, into: str, run: str) -> Restored:
        """Replay it, keep what that holds as a backup, and restore that one."""
        if not self.own.policy.any_second:
            raise no_moments(self.own.names.environment)
        started = time.monotonic()
        self.own.ensure(anew=True)  # one that was lost is made, and what was archived of it comes back beside that
        check_free(into, self.own.beside(), self.own.names.environment)  # before what may take hours
        restored = self.restore(self.take_at(at, run).name, into, run)
        return restored.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def restore_masked(self, source: str, name: str, into: str, masking: Masking, run: str) -> Masked:
        """Restore and mask it on a server of its own, and what that dumps then on the environment's own."""
        BackupFolder(self.own.home, self.own.names.app, source).find(name)
        self.own.ensure()
        return restore_masked(self.own.keeper(), source, name, into, self.own.beside(), masking, run)

    def sweep(self) -> tuple[str, ...]:
        """Remove the databases that are not whole."""
        with engine_errors():
            server = running_container(connect(self.own.host), self.own.names)
            return drop_left(server, self.own.beside()) if server else ()

    def forget(self, name: str) -> None:
        """Remove its folder."""
        self.folder.forget(name)
