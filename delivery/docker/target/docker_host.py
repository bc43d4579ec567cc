"""Releases on a Docker host: two slots of containers behind HAProxy.

The router container is the place of truth: its configuration says which slot gets how much, which release passed every
watch last, and which lease sequence was obeyed last.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

from delivery.docker.database.database import ensure_network
from delivery.docker.database.passwords import forget_password
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.docker.target.backing import ensure_backing
from delivery.docker.target.diagnosis import check_exposed
from delivery.docker.target.draining import drain, prove_idle
from delivery.docker.target.entrance import entry_of
from delivery.docker.target.guarding import start_guard
from delivery.docker.target.host_look import HostLook
from delivery.docker.target.instances import backends, ensure_slot_network, remove_slot
from delivery.docker.target.metrics import RouterMetrics
from delivery.docker.target.published import check_published
from delivery.docker.target.removal import remove_belongings
from delivery.docker.target.router import Router
from delivery.docker.target.router_container import ensure_router
from delivery.docker.target.serving import check_public, check_served, wait_until_healthy
from delivery.docker.target.starting import Starter
from delivery.docker.target.traffic import SlotProbes
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.home import Home
from delivery.ports.belongings import Belonging
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import COLOURS, Colour, SlotState, TargetState, other
from delivery.programs import haproxy
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.docker_target import DockerTarget
from delivery.spec.environments import Environment, Watch
from delivery.traffic.guard import Guard
from delivery.traffic.verdict import prepare
from delivery.traffic.watching import Clock, TrafficWatch


class DockerHost(HostLook):
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
        super().__init__(app, environment, target, settings, sequence=sequence, home=home)
        self._guard: Guard | None = None
        self._given_up = threading.Event()
        self._ended: list[EndedConnections] = []

    @property
    def fallback(self) -> Fallback | None:
        """What made traffic go back, when it did since this was opened."""
        return self._guard.fallback if self._guard else None

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
        super().close()

    def claim(self) -> None:
        """Make the lease's sequence the highest one the router obeyed; before the first release it is made for that."""
        router = self._find_router()
        if router is None:
            ensure_network(self.client, self.names)
            router = ensure_router(self.client, self.names, self.target, self.home, self.host)
        router.check(self.sequence)

    def stage(self, app: App, release: Release) -> SlotState:
        """Run `release` in the idle slot, weight 0, until every instance is healthy and serves it."""
        threading.Thread(target=prepare, daemon=True).start()  # before there is traffic to judge
        ensure_network(self.client, self.names)
        router = self._quickly(ensure_router(self.client, self.names, self.target, self.home, self.host))
        router.check(self.sequence)
        check_published(router, self._remote, self._where)
        router.entry = entry_of(router, self.target, self.settings)
        state = self._state(router)
        if (there := state.slot_of(release)) and there.healthy:
            shares = haproxy.percents(haproxy.weights_in(router.file()))
            router.apply(self.sequence, backends(self._instances(), shares, other(there.colour)))
            return there
        live = state.live
        colour: Colour = "green" if live and live.colour == "blue" else "blue"
        ensure_backing(self.client, self.names, app, self.home, self.host, self.settings.parts)
        self._clear(router, colour)
        ensure_slot_network(self.client, self.names, colour)
        starter = Starter(self.client, self.names, self.home, self.host, app, self.environment, self.settings)
        for service in app.services:  # all images first, so that none is waited for with half a slot running
            check_exposed(self.client, starter.image(release, service), service, app.services[service])
        for level in app.start_levels():
            self._start(router, starter, release, colour, level)
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
        router = self._find_router()
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

    def remove(self) -> tuple[Belonging, ...]:
        """Remove every container, network and volume of the environment, and return them."""
        if self._guard:
            self._guard.close()
        if router := self._find_router():
            router.check(self.sequence)
        found = self.belongings()
        remove_belongings(self.client, self.names)
        forget_password(self.home, self.names)
        return found

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
        return start_guard(self.client, router, self._instances(), colour, self.sequence)

    def _unless_at_fault(self) -> AbstractContextManager[None]:
        return self._guard.unless_at_fault() if self._guard else nullcontext()

    def _start(
        self, router: Router, starter: Starter, release: Release, colour: Colour, services: Sequence[str]
    ) -> None:
        started = time.monotonic()
        new = starter.start(release, colour, services, self.sequence)
        shares = haproxy.percents(haproxy.weights_in(router.file())) | {colour: 0}
        router.apply(self.sequence, backends(self._instances(), shares, other(colour)))
        wait_until_healthy(router, new, started, self._given_up.is_set, starter.app.routes().values())

    def _to_withdraw(self, router: Router, release: Release) -> set[Colour]:
        """Return the slots that hold nothing that shall stay."""
        instances = self._instances()
        running = {one.colour for one in instances if one.release.fingerprint == release.fingerprint}
        if haproxy.settled_in(router.file()) == release.fingerprint:
            running = {other(colour) for colour in running}
        return running | (set(COLOURS) - {one.colour for one in instances})

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
