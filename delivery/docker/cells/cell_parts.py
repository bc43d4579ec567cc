"""The parts that a cell has beside its suite: which it needs, how each is started, and where the suite finds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.docker.engine.limits import limits_of
from delivery.docker.sandbox.jobs import run_job
from delivery.docker.sandbox.probe import wait_for_part
from delivery.docker.sandbox.sandbox import Sandbox, image_defaults
from delivery.docker.target.instances import NO_HEALTHCHECK
from delivery.docker.target.volumes import own_new_folders
from delivery.ports.cells import CellResult
from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.spec.app import App
from delivery.spec.matrix import variable_name
from delivery.spec.services import Service
from delivery.spec.suites import Suite
from delivery.spec.variables import fill
from delivery.testing.cell_run import CellRun


@dataclass(frozen=True)
class Surroundings:
    """What a suite is told of its environment."""

    variables: Mapping[str, str]
    facts: Mapping[str, str | SecretStr] = field(default_factory=dict)


def made_for(app: App, suite: Suite, given: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return values, for this cell alone, of the secrets of the application's parts that the suite says nothing of."""
    if suite.compose:
        return {}
    wanted = {variable for secrets in app.secrets_of_parts().values() for variable in secrets}
    return {variable: token_hex(16) for variable in sorted(wanted - set(given) - set(suite.env))}


def needed_parts(app: App, suite: Suite) -> list[str]:
    """Return services and backing services of the suite, and what they need, in starting order."""
    wanted: set[str] = set()
    ahead = list(suite.services)
    while ahead:
        name = ahead.pop()
        if name not in wanted:
            wanted.add(name)
            ahead += (app.services.get(name) or app.backing[name]).needs
    return [name for name in app.start_order() if name in wanted]


def start_part(
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


def addresses(job: CellRun, parts: list[str]) -> dict[str, str]:
    """Return where the suite finds what runs beside it; BASE_URL only when there is one answer."""
    ports = {name: (job.app.services.get(name) or job.app.backing[name]).port for name in parts}
    urls = {f"{variable_name(name)}_URL": f"http://{name}:{port}" for name, port in ports.items() if port}
    tested = [name for name in job.suite.services if ports[name] and name in job.app.services]
    return urls | ({"BASE_URL": f"http://{tested[0]}:{ports[tested[0]]}"} if len(tested) == 1 else {})


def run_suite(sandbox: Sandbox, job: CellRun, surroundings: Surroundings) -> CellResult:
    """Run the suite to its end and return what it left behind."""
    image = sandbox.image(job.suite_image)
    tool = job.tool(surroundings.facts, image_defaults(sandbox.client, image))
    return job.ended(run_job(sandbox, job.job("suite", image, tool, surroundings.variables)), tool)
