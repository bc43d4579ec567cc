"""One environment on a Docker host, looked at: its router, its instances, what they say and print; nothing changes."""

from collections.abc import Iterator
from urllib.parse import urlparse

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from delivery.docker.database.database import find_database
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.printed import lines_of
from delivery.docker.engine.shell import Shell
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.docker.target.entrance import host_for, url_of
from delivery.docker.target.http_probe import HttpProbe, ask_each
from delivery.docker.target.instances import Instance, list_instances, secrets_of
from delivery.docker.target.removal import find_belongings
from delivery.docker.target.router import USER, Router, find_router
from delivery.docker.target.state import read_state
from delivery.docker.target.written import find_losses
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.home import Home
from delivery.ports.belongings import Belonging
from delivery.ports.logs import LogLine, LogWish
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import Colour, SlotState, TargetState
from delivery.programs import haproxy_values
from delivery.redaction import Redaction
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.spec.app import App
from delivery.spec.docker_target import DockerTarget
from delivery.spec.environments import Environment


class HostLook:
    """One environment on a Docker host, for the holder of lease `sequence`."""

    def __init__(
        self,
        app: App,
        environment: Environment,
        target: DockerTarget,
        settings: EnvironmentSettings,
        *,
        sequence: int,
        home: Home,
    ) -> None:
        self.app, self.environment, self.target, self.settings = app, environment, target, settings
        self.sequence, self.home = sequence, home
        self.host = settings.docker_host or target.host
        self.client: DockerClient = connect(self.host)
        self.names = EnvironmentNames(home.identity, settings.app, settings.environment)
        self._shells: dict[str, Shell] = {}

    def close(self) -> None:
        """End every connection."""
        for shell in self._shells.values():
            shell.close()
        self.client.close()

    def observe(self) -> TargetState:
        """Tell what is live, what is staged, weights and health; changes nothing."""
        router = self._find_router()
        return self._state(router) if router else TargetState()

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        """GET `path` as a user would, from `release` alone, or from each instance of its `service`."""
        router = self._found_router()
        if release is None:
            return tuple(ask_each([router.http_probe(host=host_for(path, self.app))], path))
        colour = self._colour_of(release)
        if service is None:
            port = haproxy_values.PREVIEW_PORTS[colour]
            return tuple(
                ask_each([HttpProbe(self.client, router.container, port=port, host=host_for(path, self.app))], path)
            )
        own = [one for one in self._instances(colour) if one.service == service]
        return tuple(ask_each([router.http_probe(service, one.server, host=one.file.host) for one in own], path))

    def logs(self, wish: LogWish) -> Iterator[LogLine]:
        """Yield what the containers of a service, a backing service, the database or the router printed."""
        access = find_database(self.names, host=self.host) if self.app.database else None
        own = [access.password] if access else []
        with engine_errors():
            printing = self._printing(wish)
            hide = Redaction([*own, *(secret for one in printing.values() for secret in secrets_of(one))])
            for line in lines_of(printing, wish):
                yield line.model_copy(update={"text": hide.text(line.text)})

    def address(self, release: Release | None = None) -> str:
        """Return where containers on the environment's network reach the users' entry, or `release` alone."""
        port = haproxy_values.PREVIEW_PORTS[self._colour_of(release)] if release else haproxy_values.INSIDE_PORT
        return self._found_router().address(port)

    def losses(self, app: App) -> tuple[str, ...]:
        """Return what instances of both slots keep outside volumes that outlive them, in words."""
        return find_losses(self._instances(), app.services)

    def belongings(self) -> tuple[Belonging, ...]:
        """Return every container, network and volume of the environment."""
        return find_belongings(self.client, self.names)

    def _printing(self, wish: LogWish) -> dict[str, Container]:
        """Return the containers of a part under the names their lines get; Misconfigured when there are none."""
        instances = self._instances()
        router = self._find_router()
        live = self._state(router).live if router else None
        colour = wish.slot or (live.colour if live else next((one.colour for one in instances), "blue"))
        running = [one for one in instances if one.colour == colour]
        if found := {f"{wish.part}-{one.number}": one.container for one in running if one.service == wish.part}:
            return found
        others = {"router": self.names.router, "database": self.names.database}
        others |= {name: self.names.backing(name) for name in self.app.backing}
        there = {name: one for name, called in others.items() if (one := self._container(called))}
        if wish.part not in there:
            where = f"{self.settings.environment} of {self.settings.app}"
            parts = sorted({one.service for one in running}) + list(there)
            raise Misconfigured(f"logs of {wish.part}", f"nothing of it runs in {where}", ", ".join(parts) or "none")
        return {wish.part: there[wish.part]}

    def _container(self, name: str) -> Container | None:
        try:
            return self.client.containers.get(name)
        except NotFound:
            return None

    def _router(self) -> Router:
        router = self._found_router()
        router.check(self.sequence)
        return router

    def _find_router(self) -> Router | None:
        found = find_router(self.client, self.names)
        return self._quickly(found) if found else None

    def _quickly(self, router: Router) -> Router:
        """Return it with the shell in which all commands of this target run."""
        key = str(router.container.id)
        router.shell = self._shells.setdefault(key, Shell(router.container, user=USER))
        return router

    def _found_router(self) -> Router:
        router = self._find_router()
        if router is None:
            raise Misconfigured(
                f"environment {self.settings.environment} of {self.settings.app}",
                "has no router",
                next_step="headway run",
            )
        return router

    def _instances(self, colour: Colour | None = None) -> list[Instance]:
        found = list_instances(self.client, self.names)
        return [one for one in found if colour in (None, one.colour)]

    def _colour_of(self, release: Release) -> Colour:
        for one in self._instances():
            if one.release.fingerprint == release.fingerprint:
                return one.colour
        if self.sequence and (router := self._find_router()):
            router.check(self.sequence)  # a change that slept through the end of its lease misses what others removed
        raise ReleaseUnhealthy(f"release {release.fingerprint} does not stand in any slot; somebody removed it")

    def _slot(self, router: Router, colour: Colour) -> SlotState:
        return next(slot for slot in self._state(router).slots if slot.colour == colour)

    def _state(self, router: Router) -> TargetState:
        return read_state(self.client, router, self._instances(), url_of(router, self.app, self._remote))

    @property
    def _remote(self) -> str | None:
        """The name of the engine's machine, when it is another one."""
        return urlparse(self.host or "").hostname

    @property
    def _where(self) -> str:
        return f"headway.yaml: environments.{self.settings.environment}.target"
