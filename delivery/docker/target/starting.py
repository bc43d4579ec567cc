"""The instances of a release: from which image and with which variables they start."""

from collections.abc import Sequence
from dataclasses import dataclass

from docker import DockerClient

from delivery.docker.database.database import find_database
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.registry_state import own_registry
from delivery.docker.target.instances import Instance, create_instance
from delivery.home import Home
from delivery.ports.database import SECRET_VARIABLES
from delivery.ports.instance_variables import instance_variables
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import Colour
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.environments import Environment


@dataclass(frozen=True)
class Starter:
    """Starts the services of `app` in one environment."""

    client: DockerClient
    names: EnvironmentNames
    home: Home
    host: str | None
    app: App
    environment: Environment
    settings: EnvironmentSettings

    def start(self, release: Release, colour: Colour, services: Sequence[str], sequence: int) -> list[Instance]:
        """Return the instances of `services`, all created before the first one starts."""
        new = [
            create_instance(
                self.client,
                self.names,
                colour,
                service,
                number,
                file=self.app.services[service],
                release=release,
                image=self.image(release, service),
                image_check=self.app.runs_image_check(service),
                env=self._env(release, service),
                hidden={*SECRET_VARIABLES, *self.settings.revealed_to(service)},
                sequence=sequence,
            )
            for service in services
            for number in range(1, self.app.services[service].instances + 1)
        ]
        for instance in new:
            instance.container.start()
        return new

    def image(self, release: Release, service: str) -> str:
        """Return what the engine has for a service: of the release, or what headway.yaml names."""
        name = self.app.service_image(service)
        registry = self.settings.registry or own_registry(self.home)
        asked = registry.reference(release.images[name]) if name in release.images else name
        return resolve_base(asked, home=self.home, host=self.host, stand_ins=self.app.stand_ins).used

    def _env(self, release: Release, service: str) -> dict[str, str]:
        access = find_database(self.names, host=self.host) if self.app.database else None
        return instance_variables(self.app, self.environment, self.settings, release, service, access)
