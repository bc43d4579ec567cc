"""Releases on a Docker host: two slots of containers behind HAProxy.

The router container is the place of truth: its configuration says which slot gets how much, which release passed every
watch last, and which lease sequence was obeyed last.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from urllib.parse import urlparse

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container

from delivery.docker.database.database import ensure_network, find_database
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.printed import lines_of
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox.bed import engine_errors
from delivery.docker.target.backing import ensure_backing
from delivery.docker.target.diagnosis import check_exposed
from delivery.docker.target.draining import drain, prove_idle
from delivery.docker.target.instances import (
    Instance,
    backends,
    create_instance,
    ensure_slot_network,
    list_instances,
    remove_slot,
)
from delivery.docker.target.metrics import RouterMetrics
from delivery.docker.target.published import bracketed, check_published
from delivery.docker.target.removal import find_belongings, remove_belongings
from delivery.docker.target.router import ANY_ADDRESSES, Router, find_router
from delivery.docker.target.router_container import ensure_router
from delivery.docker.target.sentinels import EngineSentinel, HealthSentinel, RouterSentinel
from delivery.docker.target.serving import (
    Ask,
    asking,
    check_public,
    check_served,
    routed_to,
    runtime_digest,
    served_version,
    wait_until_healthy,
)
from delivery.docker.target.traffic import SlotProbes
from delivery.docker.target.visit import Visitor, ask_each
from delivery.docker.target.written import find_losses
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.home import Home
from delivery.ports.belongings import Belonging
from delivery.ports.database import SECRET_VARIABLES, standard_variables
from delivery.ports.logs import LogLine, LogWish
from delivery.ports.observation import EndedConnections, Observation, Retreat
from delivery.ports.place import Place
from delivery.ports.slots import Colour, InstanceState, SlotState, TargetState, other
from delivery.programs import haproxy, haproxy_values
from delivery.programs.haproxy_runtime import ServerStat
from delivery.programs.haproxy_values import COLOURS, Entry
from delivery.redaction import Redaction
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.spec.app import App
from delivery.spec.environments import DockerTarget, Environment, Watch
from delivery.spec.health import LOCAL_HOST
from delivery.spec.variables import fill
from delivery.traffic.guard import Guard
from delivery.traffic.verdict import prepare
from delivery.traffic.watching import Clock, TrafficWatch

_log = logging.getLogger(__name__)


class DockerHost:
    """One environment on a Docker host, for the holder of lease `sequence`."""

    def __init__(
        self, app: App, environment: Environment, target: DockerTarget, place: Place, *, sequence: int, home: Home
    ) -> None:
        self.app, self.environment, self.target, self.place = app, environment, target, place
        self.sequence, self.home = sequence, home
        self.host = place.docker_host or target.host
        self.client: DockerClient = connect(self.host)
        self.names = EnvironmentNames(home.identity, place.app, place.environment)
        self._guard: Guard | None = None
        self._given_up = threading.Event()
        self._ended: list[EndedConnections] = []

    @property
    def retreat(self) -> Retreat | None:
        """What made traffic go back, when it did since this was opened."""
        return self._guard.retreat if self._guard else None

    @property
    def ended(self) -> tuple[EndedConnections, ...]:
        """What was cut since this was opened."""
        return tuple(self._ended)

    def guarded(self) -> AbstractContextManager[None]:
        """Turn the engine's errors inside into Headway's."""
        return engine_errors()

    def close(self) -> None:
        """Watch over nothing any more."""
        if self._guard:
            self._guard.close()
        self.client.close()

    def observe(self) -> TargetState:
        """Tell what is live, what is staged, weights and health; changes nothing."""
        router = find_router(self.client, self.names)
        return self._state(router) if router else TargetState()

    def stage(self, app: App, release: Release) -> SlotState:
        """Run `release` in the idle slot, weight 0, until every instance is healthy and serves it."""
        threading.Thread(target=prepare, daemon=True).start()  # before there is traffic to judge
        ensure_network(self.client, self.names)
        router = ensure_router(self.client, self.names, self.target, self.home)
        router.check(self.sequence)
        check_published(router, self._remote, self._where)
        router.entry = self._entry(router)
        state = self._state(router)
        if (there := state.slot_of(release)) and there.healthy:
            shares = haproxy.percents(haproxy.weights_in(router.file()))
            router.apply(self.sequence, backends(self._instances(), shares, other(there.colour)))
            return there
        live = state.live
        colour: Colour = "green" if live and live.colour == "blue" else "blue"
        ensure_backing(self.client, self.names, app, self.home, self.host, self.place.parts)
        self._clear(router, colour)
        ensure_slot_network(self.client, self.names, colour)
        for service in app.services:  # all images first, so that none is waited for with half a slot running
            check_exposed(self.client, self._image(app, release, service), service, app.services[service])
        for level in _levels(app):
            self._start(router, app, release, colour, level)
        router.forget_certificates()
        check_served(self.client, router, self._instances(colour))
        return self._slot(router, colour)

    def shift(self, release: Release, percent: int) -> TargetState:
        """Send `percent` of new requests to `release`, and read back from every instance what it serves."""
        router = self._router()
        colour = self._colour_of(release)
        if not self._instances(other(colour)):
            percent = 100
        shares: dict[Colour, int] = {colour: percent, other(colour): 100 - percent}
        with self._unless_at_fault():
            router.apply(self.sequence, backends(self._instances(), shares, other(colour)))
        with self._guarding(router, colour) as guard:
            try:
                check_served(self.client, router, self._instances(colour))
                check_public(router, self._instances(), shares)
            except ReleaseUnhealthy as lie:
                guard.alarm(str(lie))  # which is what comes of it when traffic went back meanwhile
            guard.raise_fault()
        return self._state(router)

    def guard(self, release: Release) -> None:
        """From now until this is closed, a hard fault of `release` puts traffic back at once."""
        if self._guard is None:
            self._guard = self._new_guard(self._router(), self._colour_of(release))

    def confirm(self, release: Release) -> None:
        """Ask every instance once more, and as a user several times, what is served; then end the guard."""
        router, colour = self._router(), self._colour_of(release)
        instances = self._instances()
        with self._guarding(router, colour) as guard:
            try:
                check_served(self.client, router, [one for one in instances if one.colour == colour])
                check_public(router, instances, {colour: 100, other(colour): 0})
                check_published(router, self._remote, self._where)
            except (ReleaseUnhealthy, Misconfigured) as lie:
                guard.alarm(str(lie))
            guard.close()
            guard.raise_fault()

    def watch(self, release: Release, window: Watch, seconds: float) -> Observation:
        """Look at the live traffic of both slots and judge; ends early on a hard fault."""
        router, colour = self._router(), self._colour_of(release)
        percent = haproxy.percents(haproxy.weights_in(router.file()))[colour]
        with (
            self._guarding(router, colour) as guard,
            closing(RouterMetrics(router)) as metrics,
            closing(SlotProbes(router, self._instances())) as probes,
        ):
            clock, is_over = Clock(wait=guard.wait), guard.stopped.is_set
            watch = TrafficWatch(metrics, probes, colour, percent, window, lambda: guard.fault, clock, is_over)
            seen = watch.look(seconds)
            if seen.verdict == "unhealthy":
                guard.alarm(seen.reason)
        return seen

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        """GET `path` as a user would, from `release` alone, or from each instance of its `service`."""
        router = self._found_router()
        if release is None:
            return tuple(ask_each([router.visitor(host=self._host(path))], path))
        colour = self._colour_of(release)
        if service is None:
            port = haproxy_values.PREVIEW_PORTS[colour]
            return tuple(ask_each([Visitor(self.client, router.container, port=port, host=self._host(path))], path))
        own = [one for one in self._instances(colour) if one.service == service]
        return tuple(ask_each([router.visitor(service, one.server, host=one.file.host) for one in own], path))

    def logs(self, wish: LogWish) -> Iterator[LogLine]:
        """Yield what the containers of a service, a backing service, the database or the router printed."""
        access = find_database(self.names, host=self.host) if self.app.database else None
        hide = Redaction([access.password] if access else [])
        with engine_errors():
            for line in lines_of(self._printing(wish), wish):
                yield line.model_copy(update={"text": hide.text(line.text)})

    def address(self, release: Release | None = None) -> str:
        """Return where containers on the environment's network reach the users' entry, or `release` alone."""
        port = haproxy_values.PREVIEW_PORTS[self._colour_of(release)] if release else haproxy_values.INSIDE_PORT
        return self._found_router().address(port)

    def give_up(self) -> None:
        """Let a stage that waits for health in another thread raise Rejected soon; `withdraw` comes next."""
        self._given_up.set()

    def withdraw(self, release: Release) -> TargetState:
        """Give all traffic to the other slot, wait for requests in flight, and remove `release`.

        A release that had passed every watch before stays: then the other slot is what never should have been.
        """
        self._given_up.clear()
        if self._guard:
            self._guard.close()
        router = find_router(self.client, self.names)
        if router is None:
            return TargetState()
        router.check(self.sequence)
        for colour in self._to_withdraw(router, release):
            shares: dict[Colour, int] = {colour: 0, other(colour): 100}
            router.apply(self.sequence, backends(self._instances(), shares, other(colour)))
            self._clear(router, colour)
        return self._state(router)

    def settle(self, release: Release) -> TargetState:
        """Give `release` all traffic for good; the other slot stays, and the router remembers since when."""
        router, _ = self._settle(release)
        return self._state(router)

    def retire(self, release: Release) -> TargetState:
        """Remove what `release` replaced, once the old slot's request counter stands still."""
        router, colour = self._settle(release)
        if self._instances(other(colour)):
            prove_idle(router, other(colour))
            self._clear(router, other(colour))
        return self._state(router)

    def losses(self, app: App) -> tuple[str, ...]:
        """Return what instances of both slots keep outside volumes that outlive them, in words."""
        return find_losses(self._instances(), app.services)

    def belongings(self) -> tuple[Belonging, ...]:
        """Return every container, network and volume of the environment."""
        return find_belongings(self.client, self.names)

    def remove(self) -> tuple[Belonging, ...]:
        """Remove every container, network and volume of the environment, and return them."""
        if self._guard:
            self._guard.close()
        if router := find_router(self.client, self.names):
            router.check(self.sequence)
        found = self.belongings()
        remove_belongings(self.client, self.names)
        return found

    def _printing(self, wish: LogWish) -> dict[str, Container]:
        """Return the containers of a part under the names their lines get; Misconfigured when there are none."""
        instances = self._instances()
        router = find_router(self.client, self.names)
        live = self._state(router).live if router else None
        colour = wish.slot or (live.colour if live else next((one.colour for one in instances), "blue"))
        standing = [one for one in instances if one.colour == colour]
        if found := {f"{wish.part}-{one.number}": one.container for one in standing if one.service == wish.part}:
            return found
        others = {"router": self.names.router, "database": self.names.database}
        others |= {name: self.names.backing(name) for name in self.app.backing}
        there = {name: one for name, called in others.items() if (one := self._container(called))}
        if wish.part not in there:
            where = f"{self.place.environment} of {self.place.app}"
            parts = sorted({one.service for one in standing}) + list(there)
            raise Misconfigured(f"logs of {wish.part}", f"nothing of it runs in {where}", ", ".join(parts) or "none")
        return {wish.part: there[wish.part]}

    def _container(self, name: str) -> Container | None:
        try:
            return self.client.containers.get(name)
        except NotFound:
            return None

    def _settle(self, release: Release) -> tuple[Router, Colour]:
        if self._guard:
            self._guard.close()
        router, colour = self._router(), self._colour_of(release)
        shares: dict[Colour, int] = {colour: 100, other(colour): 0}
        router.apply(self.sequence, backends(self._instances(), shares, other(colour)), release.fingerprint)
        return router, colour

    @contextmanager
    def _guarding(self, router: Router, colour: Colour) -> Iterator[Guard]:
        """Yield the guard that stands, or one for a while."""
        if self._guard:
            yield self._guard
            return
        with closing(self._new_guard(router, colour)) as guard:
            yield guard

    def _new_guard(self, router: Router, colour: Colour) -> Guard:
        """Return a guard whose way back is laid ready: an alarm costs one call of the engine."""
        instances = self._instances()
        own = [one for one in instances if one.colour == colour]
        back: dict[Colour, int] = {colour: 0, other(colour): 100}
        forth: dict[Colour, int] = {colour: 100, other(colour): 0}
        ways = (backends(instances, back, other(colour)), backends(instances, forth, other(colour)))
        script = router.prepare(*ways) if instances != own else ":"
        guard = Guard(lambda: router.use(self.sequence, script))
        asked = [HealthSentinel(router, one) for one in own if one.file.port and one.file.checked.path]
        late = max((one.file.checked.grace_seconds for one in own if one.file.port), default=0)
        guard.start([EngineSentinel(self.client, own), RouterSentinel(router, colour, late), *asked])
        return guard

    def _unless_at_fault(self) -> AbstractContextManager[None]:
        return self._guard.unless_at_fault() if self._guard else nullcontext()

    def _start(self, router: Router, app: App, release: Release, colour: Colour, services: Sequence[str]) -> None:
        started = time.monotonic()
        new = [
            create_instance(
                self.client,
                self.names,
                colour,
                service,
                number,
                file=app.services[service],
                release=release,
                image=self._image(app, release, service),
                image_check=app.runs_image_check(service),
                env=self._env(app, release, service),
                hidden={*SECRET_VARIABLES, *self.place.revealed_to(service)},
                sequence=self.sequence,
            )
            for service in services
            for number in range(1, app.services[service].instances + 1)
        ]
        for instance in new:
            instance.container.start()
        shares = haproxy.percents(haproxy.weights_in(router.file())) | {colour: 0}
        router.apply(self.sequence, backends(self._instances(), shares, other(colour)))
        wait_until_healthy(router, new, started, self._given_up.is_set, app.routes().values())

    def _env(self, app: App, release: Release, service: str) -> dict[str, str]:
        """Return the instance's variables; it may hold secrets. What the environment says wins over the service."""
        access = find_database(self.names, host=self.host) if app.database else None
        facts = access.facts() if access else {}
        image = release.images.get(app.service_image(service))
        ours = {
            "HEADWAY_ENVIRONMENT": self.place.environment,
            "HEADWAY_REVISION": release.revision.sha,
            "HEADWAY_DIGEST": image.digest if image else "",
        }
        return {
            **standard_variables(access),
            **ours,
            **fill(f"headway.yaml: services.{service}.env", app.services[service].env, facts),
            **fill(f"headway.yaml: environments.{self.place.environment}.env", self.environment.env, facts),
            **self.place.revealed_to(service),
        }

    def _image(self, app: App, release: Release, service: str) -> str:
        name = app.service_image(service)
        asked = str(release.images[name]) if name in release.images else name
        return resolve_base(asked, cache=self.home.cache, host=self.host, stand_ins=app.stand_ins).used

    def _to_withdraw(self, router: Router, release: Release) -> set[Colour]:
        """Return the slots that hold nothing that shall stay."""
        instances = self._instances()
        standing = {one.colour for one in instances if one.release.fingerprint == release.fingerprint}
        if haproxy.settled_in(router.file()) == release.fingerprint:
            standing = {other(colour) for colour in standing}
        return standing | (set(COLOURS) - {one.colour for one in instances})

    def _clear(self, router: Router, colour: Colour) -> None:
        """Remove a slot that gets no new requests, after those in flight were answered or had their services' time."""
        instances = self._instances()
        own = [one for one in instances if one.colour == colour]
        if own:
            self._ended += drain(router, colour, {one.service: one.file.draining_seconds for one in own})
            router.end_idle(self.sequence)
            shares: dict[Colour, int] = {colour: 0, other(colour): 100}
            router.apply(self.sequence, backends([one for one in instances if one.colour != colour], shares))
        remove_slot(self.client, self.names, colour, instances)

    def _router(self) -> Router:
        router = self._found_router()
        router.check(self.sequence)
        return router

    def _found_router(self) -> Router:
        router = find_router(self.client, self.names)
        if router is None:
            raise Misconfigured(
                f"environment {self.place.environment} of {self.place.app}", "has no router", next_step="headway run"
            )
        return router

    def _instances(self, colour: Colour | None = None) -> list[Instance]:
        found = list_instances(self.client, self.names)
        return [one for one in found if colour in (None, one.colour)]

    def _colour_of(self, release: Release) -> Colour:
        for one in self._instances():
            if one.release.fingerprint == release.fingerprint:
                return one.colour
        if self.sequence and (router := find_router(self.client, self.names)):
            router.check(self.sequence)  # a change that slept through the end of its lease misses what others removed
        raise ReleaseUnhealthy(f"release {release.fingerprint} does not stand in any slot; somebody removed it")

    def _slot(self, router: Router, colour: Colour) -> SlotState:
        return next(slot for slot in self._state(router).slots if slot.colour == colour)

    def _state(self, router: Router) -> TargetState:
        look = router.look()
        stat = {(one.service, one.server): one for one in look.servers}
        weights = {key: one.weight for key, one in stat.items()} or haproxy.weights_in(look.file)
        shares = haproxy.percents(weights)
        instances = self._instances()
        with asking(router) as ask:
            slots = [
                SlotState(
                    colour=colour,
                    release=max(own, key=lambda one: one.sequence).release if own else None,
                    weight=shares[colour] if own else 0,
                    instances=tuple(self._look(ask, one, stat) for one in own),
                )
                for colour in COLOURS
                for own in [[one for one in instances if one.colour == colour]]
            ]
        return TargetState(
            slots=tuple(slots),
            url=self._url(router),
            sequence=look.obeyed,
            settled_at=haproxy.settled_at(look.file),
        )

    def _look(self, ask: Ask, instance: Instance, stat: Mapping[tuple[str, str], ServerStat]) -> InstanceState:
        server = stat.get((instance.service, instance.server))
        # The image's own check needs its interval to say anything; where the router asks, its word is enough.
        routed = instance.is_running and server is not None and server.is_up
        return InstanceState(
            service=instance.service,
            name=str(instance.container.name),
            digest=runtime_digest(self.client, instance),
            served_digest=served_version(ask, instance).get("digest") if stat else None,
            healthy=routed if instance.file.port else instance.is_healthy,
        )

    def _entry(self, router: Router) -> Entry:
        """Return how users shall come in, with the certificates as they are now laid ready in the router.

        One that cannot be shown to users any more leaves those that are in use, as the way back must stay open.
        """
        files: tuple[str, ...] = ()
        if self.target.tls:
            try:
                files = router.keep_certificates(self.place.certificates())
            except Misconfigured as problem:
                files = haproxy.entry_in(router.file()).certificates
                if not files:
                    raise
                _log.warning("%s; the router goes on with the certificates that it has", problem)
        published = {"port": router.port, "https_port": router.https_port}
        return Entry(**published, certificates=files, trusted_proxies=self.target.trusted_proxies)

    def _host(self, path: str) -> str:
        """Return the name to ask `path` by: of the service it leads to whatever the name, else the first there is."""
        services, name = self.app.services, routed_to(path, self.app.routes())
        named = [services[name]] if name else [one for one in services.values() if one.hosts]
        return next((one.public_host for one in named), LOCAL_HOST)

    @property
    def _remote(self) -> str | None:
        """The name of the engine's machine, when it is another one."""
        return urlparse(self.host or "").hostname

    @property
    def _where(self) -> str:
        return f"headway.yaml: environments.{self.place.environment}.target"

    def _url(self, router: Router) -> str:
        address = router.bind if router.bind not in ANY_ADDRESSES else self._remote or "127.0.0.1"
        named = [host for service in self.app.services.values() for host in service.hosts if "*" not in host]
        host = named[0] if named else bracketed(address)
        if router.https_port is None:
            return f"http://{host}" + ("" if router.port == 80 else f":{router.port}")
        return f"https://{host}" + ("" if router.https_port == 443 else f":{router.https_port}")


def _levels(app: App) -> list[list[str]]:
    """Return the services in groups: each needs only services of groups before it."""
    levels: list[list[str]] = []
    started = set(app.backing)
    waiting = list(app.services)
    while waiting:
        level = [name for name in waiting if started.issuperset(app.services[name].needs)]
        levels.append(level)
        started.update(level)
        waiting = [name for name in waiting if name not in started]
    return levels
