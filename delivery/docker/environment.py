"""An environment on a Docker host: its target, its jobs, its database and the backups of that."""

from delivery.docker.backups import DockerBackups
from delivery.docker.engine.hosts import remember_host
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.registry_state import know, own_registry
from delivery.docker.own_database import DockerDatabase
from delivery.docker.sandbox.jobs import DockerJobs
from delivery.docker.target.docker_host import DockerHost
from delivery.home import Home
from delivery.ports.environment import OpenEnvironment
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.docker_target import DockerTarget
from delivery.spec.environments import Environment


def open_docker(
    app: App, environment: Environment, settings: EnvironmentSettings, *, sequence: int, home: Home
) -> OpenEnvironment:
    """Return an environment on the Docker host that its block or headway.yaml names; no host: this machine."""
    target = environment.target
    assert isinstance(target, DockerTarget)
    host = settings.docker_host or target.host
    remember_host(home, host)
    names = EnvironmentNames(home.identity, settings.app, settings.environment)
    own = DockerDatabase(app, names, home, host, environment.backups)
    registry = know(settings.registry or own_registry(home))
    return OpenEnvironment(
        target=DockerHost(app, environment, target, settings, sequence=sequence, home=home),
        jobs=DockerJobs(names, home, host, app.stand_ins),
        database=own,
        backups=DockerBackups(own, registry),
        registry=registry,
    )
