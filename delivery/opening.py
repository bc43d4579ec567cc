"""The one module that knows every kind of place: from an environment's configuration to an environment that is open."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from delivery.home import Home
from delivery.ports.announcements import Announcement, Announcements, Subject
from delivery.ports.aws_account import AwsAccount
from delivery.ports.environment import OpenEnvironment, Services
from delivery.ports.infrastructure import Infrastructure
from delivery.ports.preflight import Look
from delivery.ports.registry import Registry
from delivery.ports.secrets import SecretReader
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App, environment_of
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.environments import Environment


class Open(Protocol):
    """How a place opens an environment that headway.yaml puts there, for the holder of lease `sequence`."""

    def __call__(
        self, app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
    ) -> OpenEnvironment:
        """Return the environment, open."""
        ...


def _docker() -> Open:
    from delivery.docker.environment import open_docker

    return open_docker


def _ecs() -> Open:
    from delivery.aws.environment import open_ecs

    return open_ecs


def _memory() -> Open:
    from delivery.memory.environment import open_memory

    return open_memory


# `kind` of a target → how its place is had: each brings its own client, which takes its time to import.
PLACES: dict[str, Callable[[], Open]] = {
    "docker": _docker,
    "ecs": _ecs,
    "memory": _memory,
}


def open_environment(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int
) -> OpenEnvironment:
    """Return an environment for the holder of lease `sequence`; whoever opened it closes its target."""
    opened = PLACES[environment.target.kind]()
    return opened(app, environment, settings, sequence=sequence, home=Home.current())


def open_services(registry: Registry | None = None) -> Services:
    """Return what this platform builds, scans, tests and cleans up with; no registry: its own."""
    from delivery.docker import services
    from delivery.docker.images.registry_state import know, own_registry

    home = Home.current()
    registry = know(registry or own_registry(home))
    return Services(
        builder=services.DockerBuilder(home, registry),
        scanner=services.TrivyScanner(home, registry),
        testbeds=services.DockerTestbeds(home, registry),
        rehearsals=services.DockerRehearsals(home, registry),
        orphans=services.DockerOrphans(home),
        inventory=services.DockerInventory(home, registry),
    )


def open_secrets(account: AwsAccount | None = None) -> SecretReader:
    """Return what reads the secrets of an AWS account; none: of the one that AWS's own programs would find."""
    from delivery.aws.access import AwsAccess
    from delivery.aws.secrets import SecretsManager

    return SecretsManager(AwsAccess(account or AwsAccount()))


def open_announcements(
    app: App, subject: Subject, token: SecretStr, known: Iterable[Announcement]
) -> Announcements | None:
    """Return who is told of a run, to whom `known` was told before; none: headway.yaml names nobody."""
    if app.github is None:
        return None
    from delivery.github.announcing import GitHubAnnouncements

    return GitHubAnnouncements(app.github, token, subject, known)


def account_looks(account: AwsAccount, whose: str) -> tuple[Look, ...]:
    """Return what is asked of an AWS account before anything is changed there."""
    from delivery.aws.preflight import account_looks

    return account_looks(account, whose)


def target_looks(app: App, settings: EnvironmentSettings) -> tuple[Look, ...]:
    """Return what is asked of where an environment runs before anything is changed, beside what is live there."""
    environment = environment_of(app, settings.environment)
    if not isinstance(environment.target, EcsTarget):
        return ()
    from delivery.aws.preflight import target_looks

    return target_looks(environment, settings)


def open_infrastructure(
    app: App, environment: str, settings: EnvironmentSettings, *, source: Path, run: str
) -> Infrastructure | None:
    """Return the infrastructure of an environment whose files lie in `source`; none: headway.yaml names none."""
    config = environment_of(app, environment).infrastructure
    if config is None:
        return None
    from delivery.terraform.infrastructure import StackPlace, TerraformInfrastructure
    from delivery.terraform.own_stacks import own_variables

    variables = _aws_variables(settings.aws) if settings.aws else {}
    own = own_variables(app, environment, variables)
    place = StackPlace(app.app, environment, run, source, Home.current().root, variables, own)
    return TerraformInfrastructure(config, place)


def what_stays(app: App, environment: str, settings: EnvironmentSettings) -> tuple[str, ...]:
    """Return in words what is left on purpose of a destroyed infrastructure; `settings` are those from before."""
    if not isinstance(environment_of(app, environment).target, EcsTarget):
        return ()
    from delivery.aws.access import AwsAccess
    from delivery.aws.what_stays import what_stays

    return what_stays(AwsAccess(settings.aws or AwsAccount()).in_phase("infrastructure"), settings.outputs)


def make_state_bucket(bucket: str) -> bool:
    """Make sure there is the bucket for Terraform's state, and return whether it was made now."""
    from delivery.aws.access import AwsAccess
    from delivery.aws.state_bucket import make_state_bucket

    return make_state_bucket(AwsAccess(), bucket)


def open_shared_infrastructure(
    app: str, variables: Mapping[str, object], *, bucket: str, scratch: Path
) -> Infrastructure:
    """Return what all environments of an application on AWS share; its files are laid out in `scratch`."""
    from delivery.spec.infrastructure import Infrastructure as Config
    from delivery.terraform.infrastructure import StackPlace, TerraformInfrastructure
    from delivery.terraform.own_stacks import SHARED, lay_out, shared_backend, shared_variables

    lay_out(SHARED, scratch)
    config = Config(
        terraform=SHARED, variables={**shared_variables(), **variables}, backend=shared_backend(app, bucket)
    )
    return TerraformInfrastructure(config, StackPlace(app, "shared", "bootstrap", scratch, Home.current().root))


def _aws_variables(account: AwsAccount) -> dict[str, str]:
    """Return how a program is told whose credentials it asks AWS with: those for infrastructure."""
    from delivery.aws.access import AwsAccess

    return AwsAccess(account).in_phase("infrastructure").variables()


def places_answer() -> bool:
    """Whether everything that this process has spoken to answers now."""
    client = sys.modules.get("delivery.docker.engine.client")  # not loaded: nothing was asked of an engine
    return client is None or bool(client.engines_answer())
