"""Releases in this process: a target that behaves, for trying pipelines out and for tests.

It keeps slots, weights, the fence and what passed every watch like the others. It runs nothing: that a release is
healthy, or what it serves, is what `Behaviour` says, and it is gone with the process.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from delivery.errors import Misconfigured, Rejected, ReleaseUnhealthy
from delivery.memory.behaviour import memory_state
from delivery.ports.belongings import Belonging
from delivery.ports.logs import LogLine, LogWish
from delivery.ports.observation import EndedConnections, Fallback, Observation, SlotCounts, TrafficSample
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import COLOURS, Colour, InstanceState, SlotState, TargetState, other
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.spec.app import App
from delivery.spec.environments import Watch
from delivery.traffic.verdict import judge


class MemoryHost:
    """One environment in memory, for the holder of lease `sequence`."""

    def __init__(self, settings: EnvironmentSettings, sequence: int) -> None:
        self.state, self.sequence = memory_state(settings.app, settings.environment), sequence
        self.url = f"memory://{settings.app}/{settings.environment}"
        self.fallback: Fallback | None = None
        self.ended: tuple[EndedConnections, ...] = ()
        self._given_up = threading.Event()

    def guarded(self) -> AbstractContextManager[None]:
        """Nothing runs here whose errors could be others."""
        return nullcontext()

    def close(self) -> None:
        """Nothing is open here."""

    def observe(self) -> TargetState:
        """Tell what is live and what is staged."""
        return TargetState(
            slots=tuple(self._slot(colour) for colour in COLOURS),
            url=self.url,
            sequence=self.state.sequence,
            settled_at=self.state.settled_at,
        )

    def claim(self) -> None:
        """Obey the lease, which changes nothing else."""
        self._obey("claim")

    def stage(self, app: App, release: Release) -> SlotState:
        """Put `release` into the idle slot."""
        self._obey("stage")
        there = self.observe().slot_of(release)
        if there and there.healthy:
            return there
        live = self.observe().live
        colour: Colour = "green" if live and live.colour == "blue" else "blue"
        self.state.releases[colour], self.state.weights[colour] = release, 0
        self.state.services[colour] = dict(app.services)
        if release.fingerprint in self.state.behaviour.silent:
            seconds = max(service.start_seconds for service in app.services.values())
            if self._given_up.wait(seconds):
                raise Rejected(f"release {release.fingerprint} was not healthy yet when it was given up")
        if not self._is_healthy(release):
            raise ReleaseUnhealthy(f"release {release.fingerprint} was not healthy in time")
        return self._slot(colour)

    def shift(self, release: Release, percent: int) -> TargetState:
        """Give `release` its share."""
        self._obey("shift")
        colour = self._colour_of(release)
        share = percent if other(colour) in self.state.releases else 100
        self.state.weights |= {colour: share, other(colour): 100 - share}
        self._check_version(release, colour)
        return self.observe()

    def guard(self, release: Release) -> None:
        """Nothing happens here between two verbs: shifts and watches see every fault."""
        self._obey("guard")
        self._colour_of(release)

    def confirm(self, release: Release) -> None:
        """Return when `release` has all traffic and nothing was wrong with it since this was opened."""
        self._obey("confirm")
        if self.fallback:
            raise ReleaseUnhealthy(self.fallback.reason)
        colour = self._colour_of(release)
        if self.state.weights[colour] < 100:
            raise ReleaseUnhealthy(self._go_back(colour, f"release {release.fingerprint} does not have all traffic"))
        self._check_version(release, colour)

    def watch(self, release: Release, window: Watch, seconds: float) -> Observation:
        """Judge the traffic the behaviour tells of; takes no time."""
        self._obey("watch")
        behaviour, colour = self.state.behaviour, self._colour_of(release)
        percent = self.state.weights[colour]
        live = self._counts(release, behaviour.requests * percent // 100)
        before = self.state.releases.get(other(colour))
        baseline = self._counts(before, behaviour.requests * (100 - percent) // 100) if before else SlotCounts()
        verdict, reason = judge(window, live, baseline)
        if percent >= behaviour.dies_at_percent.get(release.fingerprint, 101):
            verdict, reason = "unhealthy", f"{colour}-1 died"
        if verdict == "unhealthy":
            self._go_back(colour, reason)
        now = datetime.now(UTC)
        sample = TrafficSample(
            at=now,
            percent=percent,
            live_requests=live.requests,
            live_errors=live.errors,
            baseline_requests=baseline.requests,
            baseline_errors=baseline.errors,
        )
        return Observation(
            verdict=verdict, reason=reason, started=now, seconds=0, live=live, baseline=baseline, samples=(sample,)
        )

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        """Answer with the status the behaviour tells for fingerprint and path, and the fingerprint as text."""
        live = self.observe().live
        colour = self._colour_of(release) if release else live.colour if live else None
        if colour is None:
            return (Answer(),)
        asked = self.state.releases[colour].fingerprint
        answer = Answer(status=self.state.behaviour.answers.get((asked, path), 200), body=asked.encode())
        asked_one = self.state.services.get(colour, {}).get(service) if service else None
        return (answer,) * (asked_one.instances if asked_one else 0 if service else 1)

    def logs(self, wish: LogWish) -> Iterator[LogLine]:
        """Yield what the behaviour tells that a service printed; without a word of it, which release it serves."""
        live = self.observe().live
        colour = wish.slot or (live.colour if live else "blue")
        parts = self.state.services.get(colour, {}) if colour in self.state.releases else ()
        if wish.part not in parts:
            raise Misconfigured(f"logs of {wish.part}", f"nothing of it runs in {self.url}", ", ".join(parts) or "none")
        lines = self.state.behaviour.printed.get(wish.part, [f"serving {self.state.releases[colour].fingerprint}"])
        last = lines if wish.tail is None else lines[max(0, len(lines) - wish.tail) :]
        yield from (LogLine(source=f"{wish.part}-1", text=line) for line in last)

    def address(self, release: Release | None = None) -> str:
        """Return a name that nobody can connect to."""
        return f"{self.url}/{self._colour_of(release)}" if release else self.url

    def give_up(self) -> None:
        """End a stage that waits, and tell the behaviour, which may wait in one as well."""
        self._given_up.set()
        self.state.behaviour.during("give up")

    def withdraw(self, release: Release) -> TargetState:
        """Leave the place as if `release` had never been staged; what had passed every watch stays."""
        self._given_up.clear()
        self._obey("withdraw")
        for colour, found in list(self.state.releases.items()):
            if found.fingerprint == release.fingerprint:
                self._empty(other(colour) if self.state.settled == release.fingerprint else colour)
        return self.observe()

    def settle(self, release: Release) -> TargetState:
        """Give `release` all traffic and leave the other slot as it is."""
        self._obey("settle")
        self._settle(release)
        return self.observe()

    def retire(self, release: Release) -> TargetState:
        """Empty the other slot."""
        self._obey("retire")
        self._settle(release)
        self._empty(other(self._colour_of(release)))
        return self.observe()

    def losses(self, app: App) -> tuple[str, ...]:
        """Return what `Behaviour` says is lost."""
        return self.state.behaviour.losses

    def belongings(self) -> tuple[Belonging, ...]:
        """Return the slots that hold a release."""
        return tuple(Belonging(kind="slot", name=f"{self.url}/{colour}") for colour in self.state.releases)

    def remove(self) -> tuple[Belonging, ...]:
        """Empty both slots and forget what passed every watch."""
        self._obey("remove")
        found = self.belongings()
        self.clear()
        return found

    def clear(self) -> None:
        """Empty it, whoever holds its lease."""
        for values in (self.state.releases, self.state.services, self.state.weights):
            values.clear()
        self.state.settled, self.state.settled_at, self.state.database = "", None, None
        self.state.databases.clear()

    def _settle(self, release: Release) -> None:
        colour = self._colour_of(release)
        self.state.weights |= {colour: 100, other(colour): 0}
        if self.state.settled != release.fingerprint:
            self.state.settled, self.state.settled_at = release.fingerprint, datetime.now(UTC)

    def _go_back(self, colour: Colour, reason: str) -> str:
        """Give the other slot, when there is one, all traffic again; return why."""
        now = datetime.now(UTC)
        if other(colour) in self.state.releases:
            self.state.weights |= {colour: 0, other(colour): 100}
        self.fallback = Fallback(reason=reason, first_sign=now, traffic_back=now)
        return reason

    def _empty(self, colour: Colour) -> None:
        self.state.releases.pop(colour, None)
        self.state.weights[colour] = 0
        if other(colour) in self.state.releases:
            self.state.weights[other(colour)] = 100

    def _obey(self, verb: str) -> None:
        if self.sequence < self.state.sequence:
            raise Rejected(
                f"{self.url} obeyed lease {self.state.sequence} already; this change holds lease {self.sequence}"
            )
        self.state.sequence = self.sequence
        self.state.behaviour.during(verb)

    def _colour_of(self, release: Release) -> Colour:
        for colour, found in self.state.releases.items():
            if found.fingerprint == release.fingerprint:
                return colour
        raise ReleaseUnhealthy(f"release {release.fingerprint} does not stand in any slot")

    def _is_healthy(self, release: Release) -> bool:
        return release.fingerprint not in self.state.behaviour.never_healthy | self.state.behaviour.silent

    def _check_version(self, release: Release, colour: Colour) -> None:
        if release.fingerprint in self.state.behaviour.serves_another_version:
            raise ReleaseUnhealthy(self._go_back(colour, f"release {release.fingerprint} serves another version"))

    def _counts(self, release: Release, requests: int) -> SlotCounts:
        percent = self.state.behaviour.error_percent.get(release.fingerprint, 0)
        return SlotCounts(requests=requests, errors=round(requests * percent / 100))

    def _slot(self, colour: Colour) -> SlotState:
        release = self.state.releases.get(colour)
        if release is None:
            return SlotState(colour=colour, release=None, weight=0)
        healthy = self._is_healthy(release)
        instances = tuple(
            InstanceState(service=service, name=f"{colour}-{service}-{number}", digest=None, healthy=healthy)
            for service, file in self.state.services.get(colour, {}).items()
            for number in range(1, file.instances + 1)
        )
        return SlotState(colour=colour, release=release, weight=self.state.weights.get(colour, 0), instances=instances)
