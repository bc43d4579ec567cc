"""An environment in memory: jobs that end as they are told to, a database that is only a name, backups of that."""

import threading
import time
from datetime import UTC, datetime
from fnmatch import fnmatch
from hashlib import sha256
from secrets import token_hex

from pydantic import SecretStr

from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.log_files import last_lines
from delivery.memory.behaviour import MemoryState, memory_state
from delivery.memory.second_place import MemorySecondPlace
from delivery.memory.target import MemoryHost
from delivery.ports.backups import BackupProof, KeptBackup, Masked, Reason, Restored, no_moments
from delivery.ports.database import DatabaseAccess, Ended, check_beside
from delivery.ports.drills import Drill, LiveCode, Reach
from delivery.ports.environment import OpenEnvironment
from delivery.ports.jobs import REPORTS, ImageDefaults, Job, JobResult, Reports
from delivery.ports.registry import Registry
from delivery.ports.settings import EnvironmentSettings
from delivery.redaction import Redaction
from delivery.spec.app import App
from delivery.spec.environments import Environment
from delivery.spec.masking import Masking

KILLED = 137  # 128 and SIGKILL
REGISTRY = Registry.at("memory")  # nothing is pulled from it


class MemoryJobs:
    """Ends jobs as the place's behaviour says, with their logs and reports as a place leaves them."""

    def __init__(self, state: MemoryState) -> None:
        self.state = state

    def image_defaults(self, image: str) -> ImageDefaults:
        """Return nothing: no image runs anything by itself here."""
        return ImageDefaults()

    def run(self, job: Job) -> JobResult:
        """Ask the behaviour how `job` ends, and write what it printed and left."""
        started = time.monotonic()
        job.begun()
        program = self.state.behaviour.run(job)
        exit_code = self._given_up(job) if program.waits else program.exit_code
        job.log.parent.mkdir(parents=True, exist_ok=True)
        hide = Redaction([*job.secrets.values(), *job.hide])
        job.log.write_text(hide.text(program.prints))
        reports = []
        for pattern in job.reports:
            names = sorted(name for name in program.files if fnmatch(f"{REPORTS}/{name}", pattern))
            for name in names:
                job.report_dir.mkdir(parents=True, exist_ok=True)
                (job.report_dir / name).write_bytes(program.files[name])
            reports.append(Reports(names=names, looked=f"looked for {pattern}"))
        seconds = time.monotonic() - started
        return JobResult(exit_code, seconds, last_lines(job.log), tuple(reports))

    def _given_up(self, job: Job) -> int | None:
        """Wait until the job is given up, and return how a place kills; none when its time was over before."""
        given_up = self.state.migrating.setdefault(job.run, threading.Event())
        return KILLED if given_up.wait(job.timeout_seconds) else None


class MemoryDatabase:
    """Remembers that there is a database, with which password it was made, and the rows that are in it."""

    def __init__(self, app: App, state: MemoryState) -> None:
        self.app, self.state = app, state

    def find(self) -> DatabaseAccess | None:
        """Return what was remembered."""
        return self.state.database

    def holds_data(self) -> bool:
        """Whether one is remembered."""
        return self.state.database is not None

    def ensure(self, *, anew: bool = False) -> DatabaseAccess:
        """Remember one from now on."""
        if self.state.database is None:
            name = self.app.database.name if self.app.database else "app"
            self.state.database = DatabaseAccess(name=name, password=SecretStr(token_hex(16)))
        self.state.databases.setdefault(self.state.database.name, ())
        return self.state.database

    def beside(self) -> tuple[str, ...]:
        """Return what is remembered, the application's first."""
        live = self.state.database.name if self.state.database else ""
        return tuple(sorted(self.state.databases, key=lambda name: (name != live, name)))

    def use(self, name: str) -> str:
        """Change the rows of both."""
        live = self._check_beside(name)
        kept_as = f"{live}_until_{token_hex(4)}"
        self.state.databases[kept_as] = self.state.databases[live]
        self.state.databases[live] = self.state.databases.pop(name)
        self.state.behaviour.during(f"use {name}")
        return kept_as

    def drop(self, name: str) -> None:
        """Forget one."""
        self._check_beside(name)
        del self.state.databases[name]

    def drop_unfinished(self) -> tuple[str, ...]:
        """Return that there is nothing: it is only a name."""
        return ()

    def end_migration(self, run: str) -> Ended:
        """Wake the migration that waits, and tell the behaviour."""
        self.state.behaviour.during("end migration")
        waiting = self.state.migrating.pop(run, None)
        if waiting is None:
            return Ended()
        waiting.set()
        return Ended(containers=1)

    def _check_beside(self, name: str) -> str:
        databases = self.beside()
        check_beside(name, databases)
        return databases[0]


class MemoryBackups:
    """Keeps the rows of a database; whether one comes back as it was is what the place's behaviour says."""

    def __init__(self, app: App, state: MemoryState, settings: EnvironmentSettings) -> None:
        self.app, self.state, self.environment, self.owner = app, state, settings.environment, settings.app

    def take(self, run: str, reason: Reason) -> KeptBackup | None:
        """Keep the rows as they are."""
        if self.state.database is None:
            return None
        self.state.behaviour.during("back up")
        rows = self.state.databases.get(self.state.database.name, ())
        at = datetime.now(UTC)
        name = f"{at:%Y%m%d-%H%M%S-%f}-{token_hex(2)}"
        kept = KeptBackup(
            name=name,
            app=self.app.app,
            environment=self.environment,
            database=self.state.database.name,
            at=at,
            reason=reason,
            run=run,
            size_bytes=100,
            tables=1,
            rows=len(rows),
            rpo_seconds=0.1,
            where="memory",
        )
        self.state.backups[name] = kept, rows
        return kept

    def reach(self) -> Reach | None:
        """Return none: nothing is archived."""
        return None

    def drill(self, run: str, *, deadline_seconds: float, live: LiveCode | None = None) -> Drill | None:
        """Return what the place's behaviour says of it."""
        return self.state.behaviour.drill()

    def kept(self) -> tuple[KeptBackup, ...]:
        """Return what is kept, the newest first."""
        return tuple(kept for _, (kept, _) in sorted(self.state.backups.items(), reverse=True))

    def prove(self, name: str, run: str) -> BackupProof:
        """Return a proof, with the differences that the behaviour tells of."""
        kept, rows = self._find(name)
        differences = self.state.behaviour.differences()
        proof = BackupProof(
            outcome="fail" if differences else "pass",
            differences=differences,
            tables=kept.tables,
            rows=kept.rows,
            size_bytes=kept.size_bytes,
            rpo_seconds=kept.rpo_seconds,
            rto_seconds=0.2,
        )
        self.state.backups[kept.name] = kept.model_copy(update={"proof": proof}), rows
        return proof

    def restore(self, name: str, into: str, run: str) -> Restored:
        """Put the rows into a new database."""
        kept, rows = self._find(name)
        MemoryDatabase(self.app, self.state).ensure(anew=True)
        if into in self.state.databases:
            raise Misconfigured(f"database {into}", "is there already", "another name")
        self.state.databases[into] = rows
        return Restored(backup=kept.name, database=into, tables=1, rows=len(rows), seconds=0.1)

    def sweep(self) -> tuple[str, ...]:
        """Remove the databases that are called unfinished, as tests leave them."""
        left = tuple(name for name in self.state.databases if name.startswith("unfinished"))
        for name in left:
            del self.state.databases[name]
        return left

    def restore_at(self, at: datetime, into: str, run: str) -> Restored:
        """Raise Misconfigured: there are backups, and nothing between them."""
        raise no_moments(self.environment)

    def restore_masked(self, source: str, name: str, into: str, masking: Masking, run: str) -> Masked:
        """Put the rows of another environment into a new database; those with an @ are personal, and become hashes."""
        theirs = MemoryBackups(self.app, memory_state(self.owner, source), EnvironmentSettings(self.owner, source))
        kept, rows = theirs._find(name)
        personal = [row for row in rows if "@" in row]
        if personal and not masking.tables:
            raise Rejected(
                f"{masking.file} does not say what becomes of\n  rows: {len(personal)} hold an e-mail address"
            )
        masked = tuple(sha256(row.encode()).hexdigest() if row in personal else row for row in rows)
        MemoryDatabase(self.app, self.state).ensure()
        if into in self.state.databases:
            raise Misconfigured(f"database {into}", "is there already", "another name")
        self.state.databases[into] = masked
        self.state.behaviour.during(f"refresh {into}")
        return Masked(
            backup=kept.name, database=into, tables=1, rows=len(masked), seconds=0.1, columns=len(personal), emptied=0
        )

    def forget(self, name: str) -> None:
        """Forget it."""
        self.state.backups.pop(name, None)

    def _find(self, name: str) -> tuple[KeptBackup, tuple[str, ...]]:
        known = self.kept()
        matching = known[:1] if name == "latest" else [one for one in known if one.name.startswith(name)]
        if len(matching) != 1:
            raise Misconfigured(
                f"backup {name} of {self.environment}",
                "is not kept",
                ", ".join(one.name for one in known) or "none is kept",
            )
        return self.state.backups[matching[0].name]


def open_memory(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment that this process knows by its name."""
    own = memory_state(settings.app, settings.environment)
    return OpenEnvironment(
        target=MemoryHost(settings, sequence),
        jobs=MemoryJobs(own),
        database=MemoryDatabase(app, own),
        backups=MemoryBackups(app, own, settings),
        registry=settings.registry or REGISTRY,
        second_place=MemorySecondPlace(own, settings.environment) if own.behaviour.has_second_place else None,
    )
