"""One cell of the test matrix in an environment of its own, and suites against a running environment."""

import contextlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from docker.errors import APIError
from pydantic import SecretStr

from delivery.changes.migration import check_migration, migration_job
from delivery.docker.cells.cell_parts import Surroundings, addresses, made_for, needed_parts, run_suite, start_part
from delivery.docker.cells.compose_testbed import run_compose_cell
from delivery.docker.database.database import accepts_queries, start_in_memory
from delivery.docker.database.roles import make_extensions, make_roles
from delivery.docker.engine.logs import save_log
from delivery.docker.sandbox.jobs import run_job
from delivery.docker.sandbox.probe import start_probe, wait_until
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox, outlasting
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.cells import CellResult
from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.spec.app import App
from delivery.spec.matrix import Cell
from delivery.testing.cell_run import CellRun

DATABASE_START_SECONDS = 60


def run_cell(
    app: App,
    cell: Cell,
    images: Mapping[str, str],
    *,
    home: Home,
    run_id: str,
    log: Path,
    report_dir: Path,
    source: Path | None = None,
    secrets: Mapping[str, SecretStr] | None = None,
    host: str | None = None,
) -> CellResult:
    """Run `cell` in an environment of its own and return what came out; nothing of it is left.

    `images` maps the application's image names and `suite-<name>` to what the engine can run. `secrets` are those of
    the suite: it gets them, and so do the migration and the services beside it. Secrets of the application's parts
    that it does not give have values made for the cell. An environment that does not come up is the result `error`;
    only the engine's own troubles are raised, and Misconfigured for a Compose file that can never work.
    """
    made = made_for(app, app.suites[cell.suite], secrets or {})
    job = CellRun(app, cell, images, run_id, log, report_dir, source or Path(), secrets or {}, made)
    if job.suite.compose:
        return run_compose_cell(job, home=home, run_id=run_id, host=host)
    try:
        lives = outlasting(job.suite.timeout_seconds)
        with open_sandbox(home, run_id, "cell", host=host, stand_ins=app.stand_ins, lives=lives) as sandbox:
            try:
                sandbox.add_network()
                return run_suite(sandbox, job, _bring_up(sandbox, job))
            finally:
                _save_logs(sandbox, job)
    except (Rejected, Misconfigured) as error:
        return job.not_run(str(error))


def _bring_up(sandbox: Sandbox, job: CellRun) -> Surroundings:
    """Start what the suite needs, each part when what it needs is ready."""
    app, parts = job.app, needed_parts(job.app, job.suite)
    access: DatabaseAccess | None = None
    if app.database and (job.suite.database or any(name in app.services for name in parts)):
        container, access = start_in_memory(sandbox, app.database.image, app.database.name)
    probe = start_probe(sandbox) if parts else None
    if app.database and access:
        ready = partial(accepts_queries, container, access)
        wait_until(ready, container, DATABASE_START_SECONDS)
        make_roles(container, creates_databases=True)
        make_extensions(container, app.database.extensions)
        if app.database.migrate:
            image, log = job.image(app.database.migrate.image), job.log_of("migrate")
            # The suite's word is about this cell alone, the migration's about all.
            made = {name: value for name, value in job.made.items() if name in app.database.migrate.secrets}
            env = {**made, **job.own_env(access.facts())}
            migration = app.database.migrate
            own = migration_job(migration, access, image, run=job.run, log=log, env=env, secrets=job.secrets)
            check_migration(migration, run_job(sandbox, own), log)
    for name in parts:
        start_part(sandbox, job, name, probe, access)
    return Surroundings({**addresses(job, parts), **standard_variables(access)}, access.facts() if access else {})


def _save_logs(sandbox: Sandbox, job: CellRun) -> None:
    """Keep the logs of what ran beside the suite."""
    for role, container in sandbox.parts.items():
        if role not in ("probe", "suite", "migrate"):
            with contextlib.suppress(APIError):  # it is gone, or never started
                save_log(container, job.log_of(role), job.hide)
