"""An environment in memory: jobs that end as they are told to, a database that is only a name, backups of that."""

import time
from fnmatch import fnmatch
from secrets import token_hex

from pydantic import SecretStr

from delivery.home import Home
from delivery.log_files import last_lines
from delivery.memory.behaviour import MemoryState, memory_state
from delivery.memory.target import MemoryHost
from delivery.ports.backups import BackupProof
from delivery.ports.database import DatabaseAccess
from delivery.ports.environment import OpenEnvironment
from delivery.ports.jobs import REPORTS, ImageDefaults, Job, JobResult, Reports
from delivery.ports.settings import EnvironmentSettings
from delivery.redaction import Redaction
from delivery.spec.app import App
from delivery.spec.environments import Environment


class MemoryJobs:
    """Ends jobs as the place's behaviour says, with their logs and reports as a place leaves them."""

    def __init__(self, state: MemoryState) -> None:
        self.state = state

    def image_defaults(self, image: str) -> ImageDefaults:
        """Return nothing: no image runs anything by itself here."""
        return ImageDefaults()

    def run(self, job: Job) -> JobResult:
        """Ask the behaviour how `job` ends, and write what it printed and left."""
        started, program = time.monotonic(), self.state.behaviour.run(job)
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
        return JobResult(program.exit_code, seconds, last_lines(job.log), tuple(reports))


class MemoryDatabase:
    """Remembers that there is a database, and with which password it was made."""

    def __init__(self, app: App, state: MemoryState) -> None:
        self.app, self.state = app, state

    def find(self) -> DatabaseAccess | None:
        """Return what was remembered."""
        return self.state.database

    def ensure(self) -> DatabaseAccess:
        """Remember one from now on."""
        if self.state.database is None:
            name = self.app.database.name if self.app.database else "app"
            self.state.database = DatabaseAccess(name=name, password=SecretStr(token_hex(16)))
        return self.state.database


class MemoryBackups:
    """Proves a backup as the place's behaviour says."""

    def __init__(self, state: MemoryState) -> None:
        self.state = state

    def prove(self, run: str) -> BackupProof | None:
        """Return a proof of two small tables, which differ where the behaviour says so."""
        if self.state.database is None:
            return None
        differences = self.state.behaviour.differences()
        return BackupProof(
            outcome="fail" if differences else "pass",
            differences=differences,
            tables=2,
            rows=3,
            size_bytes=100,
            rpo_seconds=0.1,
            rto_seconds=0.2,
        )


def open_memory(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment that this process knows by its name."""
    own = memory_state(settings.app, settings.environment)
    return OpenEnvironment(
        target=MemoryHost(settings, sequence),
        jobs=MemoryJobs(own),
        database=MemoryDatabase(app, own),
        backups=MemoryBackups(own),
    )
