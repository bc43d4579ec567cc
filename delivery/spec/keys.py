"""The keys of `headway.yaml`, each right by itself: what an application is made of, how it is tested, where it goes."""

from pydantic import Field

from delivery.model import Model, Name
from delivery.spec.database import Database
from delivery.spec.environments import Environment
from delivery.spec.github import GitHub
from delivery.spec.hooks import Hooks
from delivery.spec.images import Image
from delivery.spec.repository import Repository
from delivery.spec.scan import ScanPolicy
from delivery.spec.services import Backing, Service
from delivery.spec.stand_ins import StandIns
from delivery.spec.suites import Suite


class Keys(Model):
    """All keys of `headway.yaml`, each right by itself."""

    app: Name = Field(description="the application's name")
    images: dict[Name, Image] = Field(min_length=1, description="built on every commit")
    services: dict[Name, Service] = Field({}, description="released blue-green, all together")
    backing: dict[Name, Backing] = Field({}, description="kept beside the application")
    database: Database | None = Field(None, description="one in each environment, and one for each test cell")
    suites: dict[Name, Suite] = Field({}, description="the test matrix; what an environment accepts by runs only there")
    environments: dict[Name, Environment] = Field(min_length=1, description="where releases go")
    hooks: Hooks = Field(Hooks(), description="the team's own commands around a release")
    scan: ScanPolicy = Field(ScanPolicy(), description="what a scan of the images must not show")
    repository: Repository | None = Field(None, description="where the commits are, and what a push to it starts")
    github: GitHub | None = Field(None, description="where people see what becomes of a commit")
    stand_ins: StandIns = Field(
        "when-missing", description="when images made from Debian packages take the place of images from elsewhere"
    )
    parallel_builds: int = Field(4, ge=1, le=32, description="images built at once")
    parallel_cells: int = Field(4, ge=1, le=64, description="test cells at once")

    def service_image(self, name: str) -> str:
        """Return what the service runs: a name under `images` or an image reference."""
        return self.services[name].image or name

    def builds(self) -> dict[str, Image]:
        """Return everything that is built, each under its key in the file."""
        suites = {f"suites.{name}.build": suite.build for name, suite in self.suites.items() if suite.build}
        return {f"images.{name}": image for name, image in self.images.items()} | suites

    def secrets_of_parts(self) -> dict[str, dict[str, str | None]]:
        """Return the secrets of what an environment runs, each under its key in the file; none: the environment's."""
        parts = {f"backing.{name}": backing.secrets for name, backing in self.backing.items()}
        if self.database and self.database.migrate:
            parts["database.migrate"] = self.database.migrate.secrets
        parts |= {f"services.{name}": service.secrets for name, service in self.services.items()}
        return {key: secrets for key, secrets in parts.items() if secrets}

    def routes(self) -> dict[str, str]:
        """Return path prefix, behind a host where one is said → service name; a lone service with a port takes `/`."""
        named = {way: name for name, service in self.services.items() for way in service.ways}
        with_port = [name for name, service in self.services.items() if service.port]
        return named or ({"/": with_port[0]} if len(with_port) == 1 else {})

    def runs_image_check(self, name: str) -> bool:
        """Whether the HEALTHCHECK of its image says anything of a service.

        That of a web server says nothing of a worker which runs the same image with another command.
        """
        service, image = self.services[name], self.service_image(name)
        shared = any(one.port and self.service_image(other) == image for other, one in self.services.items())
        said = service.checked.image_check
        return (service.port is not None or not shared) if said is None else said

    def start_levels(self) -> list[list[str]]:
        """Return the services in groups: each needs only services of groups before it."""
        levels: list[list[str]] = []
        started = set(self.backing)
        waiting = list(self.services)
        while waiting:
            level = [name for name in waiting if started.issuperset(self.services[name].needs)]
            levels.append(level)
            started.update(level)
            waiting = [name for name in waiting if name not in started]
        return levels

    def start_order(self) -> list[str]:
        """Return services and backing services so that each comes after what it needs."""
        order: list[str] = []

        def add(name: str) -> None:
            part = self.services.get(name) or self.backing[name]
            for need in part.needs:
                add(need)
            if name not in order:
                order.append(name)

        for name in [*self.backing, *self.services]:
            add(name)
        return order
