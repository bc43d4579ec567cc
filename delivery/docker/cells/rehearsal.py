"""A rehearsal in containers: one server, the database on it copied and taken back, the code started on each copy."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from delivery.changes.contracting import Split
from delivery.changes.migration import carry_out, check_migration, migration_job, pending_parts, unlocked
from delivery.docker.cells.cell_parts import made_for
from delivery.docker.cells.code_trial import START, CodeTrial, trial_on, trial_run
from delivery.docker.database.copies import Copies, start_copies
from delivery.docker.sandbox.jobs import run_job
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox, outlasting
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.migrations.tool import Operation
from delivery.migrations.tools import takes_back
from delivery.ports.jobs import JobResult
from delivery.ports.rehearsals import CodeVersion, RehearsalRequest, Rehearsed
from delivery.releases.rehearsal import Code, CodeOnSchema, Schema
from delivery.spec.app import App
from delivery.spec.database import Migration
from delivery.spec.services import Service
from delivery.spec.suites import Suite
from delivery.testing.cell_run import CellRun
from delivery.testing.telling_lines import alike, in_one_line

OUTLASTS_SECONDS = 3600
# Where the code does not come up at all, nobody should wait for as long as it may take where it counts.
START_SECONDS, START_TIMES = 10, 5


@dataclass
class _Stage:
    """The server with its copies, and what is tried on it."""

    asked: RehearsalRequest
    sandbox: Sandbox
    copies: Copies
    trial: CodeTrial
    references: Callable[[CodeVersion], Mapping[str, str]]
    tried: list[CodeOnSchema] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    steps_back: int = 0
    back_to: tuple[str, ...] = ()
    starts_seconds: float = 0  # what the old code needed on its own schema

    def code(self, which: Code) -> CodeVersion:
        return self.asked.old if which == "old" else self.asked.new

    def apply(self, which: Code) -> tuple[str, ...]:
        """Bring the schema to where a version has it, but for what waits; return what was applied."""
        code, log = self.code(which), self.asked.logs / f"apply-{which}.log"
        ask, waits = partial(self._ask, which, log), self.asked.waits.get(which, ())
        return carry_out(migration_of(code.app), ask, log, waits=waits).applied

    def way_from_old(self) -> Split:
        """Return what the new version applies to the old schema, which is put in place for that."""
        self.copies.take_back("old")
        migration, log = migration_of(self.asked.new.app), self.asked.logs / "pending-new.log"
        ended = unlocked(migration, partial(self._ask, "new", log), log, "pending")
        return pending_parts(migration, ended, log, self.asked.waits.get("new", ()))

    def revert(self, count: int, back_to: str) -> None:
        """Have the new version take the schema back; Rejected when it fails."""
        migration, log = migration_of(self.asked.new.app), self.asked.logs / "revert-new.log"
        check_migration(migration, self._ask("new", log, "revert", count, back_to), log, "revert")

    def _ask(self, which: Code, log: Path, operation: Operation, count: int, up_to: str) -> JobResult:
        """Return how a version's migration ended, asked so."""
        code = self.code(which)
        migration, images = migration_of(code.app), self.references(code)
        made = made_for(code.app, Suite(image=START), {})
        job = migration_job(
            migration,
            self.copies.access,
            images.get(migration.image, migration.image),
            run=self.asked.run,
            log=log,
            operation=operation,
            count=count,
            up_to=up_to,
            env={name: value for name, value in made.items() if name in migration.secrets},
        )
        try:
            return run_job(self.sandbox, job)
        finally:
            self.trial.remove_parts()

    def try_cell(self, which: Code, on: Schema) -> CodeOnSchema:
        """Start a version of the code on a schema, and have it asked by its suites."""
        started = time.monotonic()
        problem = self._asked(which, on, anew=on != "written")
        if problem and on == "written" and self._fails_alike_on_its_own(which, problem):
            self.remarks.append("the suites cannot run twice on one database: what the new code wrote was not tried")
            return CodeOnSchema(code=which, on=on, outcome="failed", problem=problem)
        seconds = round(time.monotonic() - started, 3)
        if (which, on) == ("old", "old") and not problem:
            self.starts_seconds = seconds
        found = CodeOnSchema(
            code=which, on=on, outcome="failed" if problem else "passed", problem=problem, seconds=seconds
        )
        self.tried.append(found)
        return found

    def _asked(self, which: Code, on: Schema, *, anew: bool) -> str:
        """Return the first thing that failed; `anew`: each suite has the schema as it was kept."""
        for run in self._runs(which, on):
            if anew:
                self.copies.take_back(on)
            if problem := self.trial.problem(run):
                return problem
        return ""

    def _fails_alike_on_its_own(self, which: Code, problem: str) -> bool:
        """Tell whether a version fails in the same way on what it wrote itself: then it says nothing of another one."""
        self.copies.take_back("old")
        first = self._asked(which, "old", anew=False)
        return not first and alike(self._asked(which, "old", anew=False), problem)

    def _runs(self, which: Code, on: Schema) -> Iterator[CellRun]:
        """Yield what asks the code: each suite of its own release, or the new one's where it has none of that name."""
        code, newest = self.code(which), self.asked.new
        names = migration_of(newest.app).rehearsal.suites or (START,)
        for name in names:
            images, suites = dict(self.references(code)), dict(code.app.suites)
            if name != START and not (name in suites and (suites[name].image or f"suite-{name}" in images)):
                suites[name] = newest.app.suites[name]
                images |= {key: ref for key, ref in self.references(newest).items() if key == f"suite-{name}"}
            services = {key: self._impatient(service) for key, service in code.app.services.items()}
            app = code.app.model_copy(update={"suites": suites, "services": services})
            log = self.asked.logs / f"{which}-on-{on}-{name}.log"
            yield trial_run(app, name, images, self.asked.run, log, self.asked.secrets.get(name, {}))

    def _impatient(self, service: Service) -> Service:
        """Return a service that may take a few times as long to start as the old code did on its own schema."""
        most = service.start_seconds
        if self.starts_seconds:
            most = min(most, math.ceil(START_SECONDS + START_TIMES * self.starts_seconds))
        return service.model_copy(update={"start_seconds": most})


def migration_of(app: App) -> Migration:
    """Return how the application migrates; whoever asks knows that it does."""
    assert app.database
    assert app.database.migrate
    return app.database.migrate


def rehearse(
    asked: RehearsalRequest,
    references: Callable[[CodeVersion], Mapping[str, str]],
    *,
    home: Home,
    host: str | None = None,
) -> Rehearsed:
    """Rehearse in a sandbox; `references` are what the engine runs for the images of a version."""
    database = asked.new.app.database
    assert database
    lives = outlasting(OUTLASTS_SECONDS + 2 * migration_of(asked.new.app).timeout_seconds)
    with open_sandbox(
        home, asked.run, "rehearsal", host=host, stand_ins=asked.new.app.stand_ins, lives=lives
    ) as sandbox:
        sandbox.add_network()
        copies = start_copies(sandbox, database, on_disk=asked.dump is not None)
        stage = _Stage(asked, sandbox, copies, trial_on(sandbox, copies.access), references)
        version = stage.copies.version()
        if inconclusive := _made_old(stage):
            return Rehearsed(inconclusive=inconclusive, version=version)
        applied, problem = _made_new(stage)
        cells = [one for one in asked.cells if not problem or one[1] == "old"]
        for which, on in cells:
            found = stage.try_cell(which, on)
            if (which, on) == ("old", "old") and found.outcome == "failed":
                break  # nothing that follows would prove anything
        if not problem:
            _revert(stage)
    watched, remarks = tuple(stage.copies.watched), tuple(stage.remarks)
    tried, back_to = tuple(stage.tried), stage.back_to
    return Rehearsed(applied, watched, tried, problem, "", remarks, stage.steps_back, back_to, version)


def _made_old(stage: _Stage) -> str:
    """Make the old schema and keep it; return why there is none, empty when there is.

    A backup may be of the time before the old release's migrations. One that its tool refuses is of a later schema, on
    which that release runs by now: it stays as it was restored.
    """
    dump, database = stage.asked.dump, stage.asked.old.app.database
    try:
        stage.copies.prepare(dump)
    except (Rejected, Misconfigured) as error:
        return f"the copy could not be made: {in_one_line(str(error))}"
    try:
        if database and database.migrate:
            stage.apply("old")
    except (Rejected, Misconfigured) as error:
        if dump is None:
            return f"the old schema could not be made: {in_one_line(str(error))}"
        stage.remarks.append(f"the backup stays as it is, for the old migrations refuse it: {in_one_line(str(error))}")
    stage.copies.keep("old")
    return ""


def _made_new(stage: _Stage) -> tuple[tuple[str, ...], str]:
    """Make the new schema, watched, and keep it; return what was applied, and why it could not be."""
    try:
        with stage.copies.watching():
            applied = stage.apply("new")
    except (Rejected, Misconfigured) as error:
        return (), str(error).removeprefix("the migration failed: ")
    stage.copies.keep("new")
    return applied, ""


def _revert(stage: _Stage) -> None:
    """Take the new schema back and try the old code on that, where it fails on the new one and there is a way."""
    on_new = [one for one in stage.tried if one.code == "old" and one.on in ("new", "written")]
    migration = migration_of(stage.asked.new.app)
    if all(one.outcome == "passed" for one in on_new) or not takes_back(migration):
        return
    try:
        way = Split() if migration.down else stage.way_from_old()
        count = max(1, len(way.applied))
        stage.copies.take_back("new")
        for back_to in way.back_to or ("",):
            stage.revert(count, back_to)
        stage.steps_back, stage.back_to = count, way.back_to
    except (Rejected, Misconfigured) as error:
        problem = f"it could not be taken back: {in_one_line(str(error))}"
        stage.tried.append(CodeOnSchema(code="old", on="reverted", outcome="failed", problem=problem))
        return
    stage.copies.keep("reverted")
    stage.try_cell("old", "reverted")
