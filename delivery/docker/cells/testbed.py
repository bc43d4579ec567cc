"""One cell of the test matrix in an environment of its own, and suites against a running environment."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex

from docker.errors import APIError
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.migration import check_migration, migration_job
from delivery.docker.cells.compose_testbed import run_compose_cell
from delivery.docker.database.database import accepts_queries, start_in_memory
from delivery.docker.database.roles import make_extensions, make_roles
from delivery.docker.engine.limits import limits_of
from delivery.docker.engine.logs import save_log
from delivery.docker.sandbox.jobs import run_job
from delivery.docker.sandbox.probe import start_probe, wait_for_part, wait_until
from delivery.docker.sandbox.sandbox import Sandbox, image_defaults, open_sandbox, outlasting
from delivery.docker.target.instances import NO_HEALTHCHECK
from delivery.docker.target.volumes import own_new_folders
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.cells import CellResult
from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.spec.app import App
from delivery.spec.matrix import Cell, variable_name
from delivery.spec.services import Service
from delivery.spec.suites import Suite
from delivery.spec.variables import fill
from delivery.testing.cell_run import CellRun

DATABASE_START_SECONDS = 60


@dataclass(frozen=True)
class Surroundings:
    """What a suite is told of its environment."""

    variables: Mapping[str, str]
    facts: Mapping[str, str | SecretStr] = field(default_factory=dict)


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
    made = _made_for(app, app.suites[cell.suite], secrets or {})
    job = CellRun(app, cell, images, run_id, log, report_dir, source or Path(), secrets or {}, made)
    if job.suite.compose:
        return run_compose_cell(job, home=home, run_id=run_id, host=host)
    try:
        lives = outlasting(job.suite.timeout_seconds)
        with open_sandbox(home, run_id, "cell", host=host, stand_ins=app.stand_ins, lives=lives) as sandbox:
            try:
                sandbox.add_network()
                return _run_suite(sandbox, job, _bring_up(sandbox, job))
            finally:
                _save_logs(sandbox, job)
    except (Rejected, Misconfigured) as error:
        return job.not_run(str(error))


def _made_for(app: App, suite: Suite, given: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return values, for this cell alone, of the secrets of the application's parts that the suite says nothing of."""
    if suite.compose:
        return {}
    wanted = {variable for secrets in app.secrets_of_parts().values() for variable in secrets}
    return {variable: token_hex(16) for variable in sorted(wanted - set(given) - set(suite.env))}


def _bring_up(sandbox: Sandbox, job: CellRun) -> Surroundings:
    """Start what the suite needs, each part when what it needs is ready."""
    app, parts = job.app, _needed(job.app, job.suite)
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
        _start_part(sandbox, job, name, probe, access)
    return Surroundings({**_addresses(job, parts), **standard_variables(access)}, access.facts() if access else {})


def _needed(app: App, suite: Suite) -> list[str]:
    """Return services and backing services of the suite, and what they need, in starting order."""
    wanted: set[str] = set()
    ahead = list(suite.services)
    while ahead:
        name = ahead.pop()
        if name not in wanted:
            wanted.add(name)
            ahead += (app.services.get(name) or app.backing[name]).needs
    return [name for name in app.start_order() if name in wanted]


def _start_part(
    sandbox: Sandbox, job: CellRun, name: str, probe: Container | None, access: DatabaseAccess | None
) -> None:
    """Start one service and wait until it is ready."""
    app, facts = job.app, access.facts() if access else {}
    part = app.services.get(name) or app.backing[name]
    image = job.image(app.service_image(name) if isinstance(part, Service) else app.backing[name].image)
    where = f"headway.yaml: {'services' if isinstance(part, Service) else 'backing'}.{name}.env"
    env, options = fill(where, part.env, facts), limits_of(part)
    if isinstance(part, Service):
        env = {**standard_variables(access), "HEADWAY_DIGEST": image.partition("@")[2], **env}
        mounts = {sandbox.add_volume(volume): folder for volume, folder in part.volumes.items()}
        options |= {"volumes": {volume: {"bind": folder, "mode": "rw"} for volume, folder in mounts.items()}}
        options |= {"init": part.init}
        options |= {} if app.runs_image_check(name) else {"healthcheck": NO_HEALTHCHECK}
    container = sandbox.create(name, image, part.command, env=env | job.revealed_to(part, facts), **options)
    if isinstance(part, Service):
        own_new_folders(container, part.volumes.values())
    container.start()
    if probe:
        wait_for_part(probe, container, name, part)


def _addresses(job: CellRun, parts: list[str]) -> dict[str, str]:
    """Return where the suite finds what runs beside it; BASE_URL only when there is one answer."""
    ports = {name: (job.app.services.get(name) or job.app.backing[name]).port for name in parts}
    addresses = {f"{variable_name(name)}_URL": f"http://{name}:{port}" for name, port in ports.items() if port}
    tested = [name for name in job.suite.services if ports[name] and name in job.app.services]
    return addresses | ({"BASE_URL": f"http://{tested[0]}:{ports[tested[0]]}"} if len(tested) == 1 else {})


def _run_suite(sandbox: Sandbox, job: CellRun, surroundings: Surroundings) -> CellResult:
    """Run the suite to its end and return what it left behind."""
    image = sandbox.image(job.suite_image)
    tool = job.tool(surroundings.facts, image_defaults(sandbox.client, image))
    return job.ended(run_job(sandbox, job.job("suite", image, tool, surroundings.variables)), tool)


def _save_logs(sandbox: Sandbox, job: CellRun) -> None:
    """Keep the logs of what ran beside the suite."""
    for role, container in sandbox.parts.items():
        if role not in ("probe", "suite", "migrate"):
            with contextlib.suppress(APIError):  # it is gone, or never started
                save_log(container, job.log_of(role), job.hide)
