"""One cell of the test matrix in an environment of its own, and suites against a running environment."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from pydantic import SecretStr

from delivery.docker.cells.compose_bed import run_compose_cell
from delivery.docker.cells.job import Job
from delivery.docker.database.database import (
    DatabaseAccess,
    accepts_queries,
    run_migration,
    standard_variables,
    start_in_memory,
)
from delivery.docker.engine.limits import limits_of
from delivery.docker.engine.logs import save_log
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.outcome import prepare_folder, wait_for_end
from delivery.docker.sandbox.bed import Bed, image_defaults, open_bed
from delivery.docker.sandbox.probe import start_probe, wait_for_part, wait_until
from delivery.docker.target.instances import NO_HEALTHCHECK
from delivery.docker.target.volumes import own_new_folders
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.programs import haproxy
from delivery.spec.app import App
from delivery.spec.matrix import Cell, cells_of, variable_name
from delivery.spec.services import Service
from delivery.spec.suites import Suite
from delivery.spec.variables import fill
from delivery.testing.results import CellResult
from delivery.testing.runners import REPORTS

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
    job = Job(app, cell, images, log, report_dir, source or Path(), secrets or {}, made)
    if job.suite.compose:
        return run_compose_cell(job, home=home, run_id=run_id, host=host)
    try:
        with open_bed(home, run_id, "cell", host=host, stand_ins=app.stand_ins) as bed:
            try:
                bed.add_network()
                return _run_suite(bed, job, _bring_up(bed, job))
            finally:
                _save_logs(bed, job)
    except (Rejected, Misconfigured) as error:
        return job.not_run(str(error))


def run_acceptance(
    app: App,
    environment: str,
    suite: str,
    images: Mapping[str, str],
    *,
    home: Home,
    run_id: str,
    log: Path,
    report_dir: Path,
    secrets: Mapping[str, SecretStr] | None = None,
    host: str | None = None,
    base_url: str | None = None,
) -> CellResult:
    """Run all of a suite against a running environment; BASE_URL tells it where the router is, or `base_url`."""
    names = EnvironmentNames(home.identity, app.app, environment)
    whole = app.suites[suite].model_copy(update={"shards": 1})
    job = Job(app, cells_of(suite, whole)[0], images, log, report_dir, secrets=secrets or {})
    try:
        with open_bed(home, run_id, "acceptance", host=host, stand_ins=app.stand_ins) as bed:
            bed.network = names.backbone
            return _run_suite(bed, job, Surroundings({"BASE_URL": base_url or router_url(bed.client, names)}))
    except (Rejected, Misconfigured) as error:
        return job.not_run(str(error))


def router_url(client: DockerClient, names: EnvironmentNames) -> str:
    """Return where containers on the environment's backbone reach its router; Misconfigured when there is none."""
    try:
        router = client.containers.get(names.router)
        aliases = router.attrs["NetworkSettings"]["Networks"][names.backbone].get("Aliases") or [router.short_id]
    except (NotFound, KeyError) as error:
        raise Misconfigured(
            f"environment {names.environment} of {names.app}",
            "has no router to run an acceptance suite against",
            next_step="release into it first",
        ) from error
    return f"http://{aliases[0]}:{haproxy.INSIDE_PORT}"


def _made_for(app: App, suite: Suite, given: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return values, for this cell alone, of the secrets of the application's parts that the suite says nothing of."""
    if suite.compose:
        return {}
    wanted = {variable for secrets in app.secrets_of_parts().values() for variable in secrets}
    return {variable: token_hex(16) for variable in sorted(wanted - set(given) - set(suite.env))}


def _bring_up(bed: Bed, job: Job) -> Surroundings:
    """Start what the suite needs, each part when what it needs is ready."""
    app, parts = job.app, _needed(job.app, job.suite)
    access: DatabaseAccess | None = None
    if app.database and (job.suite.database or any(name in app.services for name in parts)):
        container, access = start_in_memory(bed, app.database.image, app.database.name)
    probe = start_probe(bed) if parts else None
    if app.database and access:
        ready = partial(accepts_queries, container, access)
        wait_until(ready, container, DATABASE_START_SECONDS)
        if app.database.migrate:
            image, log = job.image(app.database.migrate.image), job.log_of("migrate")
            # The suite's word is about this cell alone, the migration's about all.
            made = {name: value for name, value in job.made.items() if name in app.database.migrate.secrets}
            env = {**made, **job.own_env(access.facts())}
            run_migration(bed, app.database, access, image, log, env=env, secrets=job.secrets)
    for name in parts:
        _start_part(bed, job, name, probe, access)
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


def _start_part(bed: Bed, job: Job, name: str, probe: Container | None, access: DatabaseAccess | None) -> None:
    """Start one service and wait until it is ready."""
    app, facts = job.app, access.facts() if access else {}
    part = app.services.get(name) or app.backing[name]
    image = job.image(app.service_image(name) if isinstance(part, Service) else app.backing[name].image)
    where = f"headway.yaml: {'services' if isinstance(part, Service) else 'backing'}.{name}.env"
    env, options = fill(where, part.env, facts), limits_of(part)
    if isinstance(part, Service):
        env = {**standard_variables(access), "HEADWAY_DIGEST": image.partition("@")[2], **env}
        mounts = {bed.add_volume(volume): folder for volume, folder in part.volumes.items()}
        options |= {"volumes": {volume: {"bind": folder, "mode": "rw"} for volume, folder in mounts.items()}}
        options |= {"init": part.init}
        options |= {} if app.runs_image_check(name) else {"healthcheck": NO_HEALTHCHECK}
    container = bed.create(name, image, part.command, env=env | job.revealed_to(part, facts), **options)
    if isinstance(part, Service):
        own_new_folders(container, part.volumes.values())
    container.start()
    if probe:
        wait_for_part(probe, container, name, part)


def _addresses(job: Job, parts: list[str]) -> dict[str, str]:
    """Return where the suite finds what runs beside it; BASE_URL only when there is one answer."""
    ports = {name: (job.app.services.get(name) or job.app.backing[name]).port for name in parts}
    addresses = {f"{variable_name(name)}_URL": f"http://{name}:{port}" for name, port in ports.items() if port}
    tested = [name for name in job.suite.services if ports[name] and name in job.app.services]
    return addresses | ({"BASE_URL": f"http://{tested[0]}:{ports[tested[0]]}"} if len(tested) == 1 else {})


def _run_suite(bed: Bed, job: Job, surroundings: Surroundings) -> CellResult:
    """Run the suite's container to its end and read what it left behind."""
    image = bed.image(job.suite_image)
    tool = job.tool(surroundings.facts, image_defaults(bed, image))
    env = {**surroundings.variables, **tool.env, **job.revealed()}
    options: dict[str, Any] = {"entrypoint": list(tool.entrypoint)} if tool.entrypoint else {}
    container = bed.create("suite", image, tool.command, env=env, shm_size="512m", **options)
    prepare_folder(container, REPORTS)
    container.start()
    return job.ended(wait_for_end(container, job.suite.timeout_seconds), container, tool)


def _save_logs(bed: Bed, job: Job) -> None:
    """Keep the logs of what ran beside the suite."""
    for role, container in bed.parts.items():
        if role not in ("probe", "suite", "migrate"):
            with contextlib.suppress(APIError):  # it is gone, or never started
                save_log(container, job.log_of(role), job.hide)
