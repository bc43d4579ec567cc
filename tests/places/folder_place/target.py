"""The target: slots, weights and the fence are lines of a file, which each verb reads anew."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial

from delivery.errors import Misconfigured, Rejected, ReleaseUnhealthy
from delivery.ports.belongings import Belonging
from delivery.ports.logs import LogLine, LogWish
from delivery.ports.observation import EndedConnections, Fallback, Observation, SlotCounts, TrafficSample
from delivery.ports.slots import Colour, InstanceState, SlotState, TargetState, other
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.spec.app import App
from delivery.spec.environments import Watch
from delivery.traffic.verdict import judge
from tests.places.folder_place.files import Files, ImageFile, RunningSlot, State

REQUESTS = 1000  # of users, in the time of a watch


class FolderHost:
    """One environment in a folder, for the holder of lease `sequence`."""

    def __init__(self, files: Files, sequence: int) -> None:
        self.files, self.sequence = files, sequence
        self.url = f"folder://{files.folder}"
        self.fallback: Fallback | None = None
        self.ended: tuple[EndedConnections, ...] = ()
        self._given_up = threading.Event()

    def guarded(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        pass

    def observe(self) -> TargetState:
        return self._told(self.files.read())

    def stage(self, app: App, release: Release) -> SlotState:
        instances = {name: service.instances for name, service in app.services.items()}
        slot = self._told(self._change(partial(_staged, release=release, instances=instances))).slot_of(release)
        assert slot
        if any(image.silent for image in self._images(release)):
            seconds = max(service.start_seconds for service in app.services.values())
            if self._given_up.wait(seconds):
                raise Rejected(f"release {release.fingerprint} was not healthy yet when it was given up")
        if not slot.healthy:
            raise ReleaseUnhealthy(f"release {release.fingerprint} was not healthy in time")
        return slot

    def shift(self, release: Release, percent: int) -> TargetState:
        self._change(partial(_shifted, release=release, percent=percent))
        self._check_served(release)
        return self.observe()

    def guard(self, release: Release) -> None:
        self._change(lambda state: _with(state, release))  # nothing happens in a folder between two verbs

    def confirm(self, release: Release) -> None:
        state = self._change(lambda state: _with(state, release))
        if self.fallback:
            raise ReleaseUnhealthy(self.fallback.reason)
        if state.slots[_colour_of(state, release)].weight < 100:
            raise ReleaseUnhealthy(self._go_back(release, f"release {release.fingerprint} does not have all traffic"))
        self._check_served(release)

    def watch(self, release: Release, window: Watch, seconds: float) -> Observation:
        state = self._change(lambda state: _with(state, release))
        colour, now = _colour_of(state, release), datetime.now(UTC)
        live, baseline = self._counts(state, colour), self._counts(state, other(colour))
        verdict, reason = judge(window, live, baseline)
        if verdict == "unhealthy":
            self._go_back(release, reason)
        sample = TrafficSample(
            at=now,
            percent=state.slots[colour].weight,
            live_requests=live.requests,
            live_errors=live.errors,
            baseline_requests=baseline.requests,
            baseline_errors=baseline.errors,
        )
        return Observation(
            verdict=verdict, reason=reason, started=now, seconds=0, live=live, baseline=baseline, samples=(sample,)
        )

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        state = self.files.read()
        live = self._told(state).live
        colour = _colour_of(state, release) if release else live.colour if live else None
        if colour is None:
            return (Answer(),)
        asked = state.slots[colour]
        answer = Answer(status=200, body=asked.release.fingerprint.encode())
        return (answer,) * (asked.instances.get(service, 0) if service else 1)

    def logs(self, wish: LogWish) -> Iterator[LogLine]:
        state = self.files.read()
        live = self._told(state).live
        running = state.slots.get(wish.slot or (live.colour if live else "blue"))
        parts = running.instances if running else {}
        if running is None or wish.part not in parts:
            raise Misconfigured(f"logs of {wish.part}", f"nothing of it runs in {self.url}", ", ".join(parts) or "none")
        lines = [f"serving {running.release.fingerprint}"] if wish.tail != 0 else []
        for number in range(1, parts[wish.part] + 1):
            yield from (LogLine(source=f"{wish.part}-{number}", text=line) for line in lines)

    def address(self, release: Release | None = None) -> str:
        return f"{self.url}/{_colour_of(self.files.read(), release)}" if release else self.url

    def give_up(self) -> None:
        self._given_up.set()

    def withdraw(self, release: Release) -> TargetState:
        self._given_up.clear()
        return self._told(self._change(partial(_withdrawn, release=release)))

    def settle(self, release: Release) -> TargetState:
        return self._told(self._change(partial(_settled, release=release)))

    def retire(self, release: Release) -> TargetState:
        def alone(state: State) -> State:
            return _without(_settled(state, release), other(_colour_of(state, release)))

        return self._told(self._change(alone))

    def losses(self, app: App) -> tuple[str, ...]:
        return ()

    def belongings(self) -> tuple[Belonging, ...]:
        slots = tuple(Belonging(kind="slot", name=f"{self.url}/{colour}") for colour in self.files.read().slots)
        kept = Belonging(kind="file", name=str(self.files.database), keeps="the database")
        return (kept, *slots) if self.files.database.exists() else slots

    def remove(self) -> tuple[Belonging, ...]:
        found = self.belongings()
        self._change(lambda state: State(sequence=state.sequence))  # the fence stays
        self.files.database.unlink(missing_ok=True)
        return found

    def _change(self, alter) -> State:
        return self.files.change(self.sequence, alter)

    def _images(self, release: Release) -> list[ImageFile]:
        return [self.files.image(image) for image in release.images.values()]

    def _check_served(self, release: Release) -> None:
        for name, image in release.images.items():
            if (served := self.files.image(image).serves or image.digest) != image.digest:
                raise ReleaseUnhealthy(self._go_back(release, f"{name} serves {served}, not {image.digest}"))

    def _go_back(self, release: Release, reason: str) -> str:
        first_sign = datetime.now(UTC)
        self._change(partial(_shifted, release=release, percent=0))
        self.fallback = Fallback(reason=reason, first_sign=first_sign, traffic_back=datetime.now(UTC))
        return reason

    def _counts(self, state: State, colour: Colour) -> SlotCounts:
        running = state.slots.get(colour)
        if running is None:
            return SlotCounts()
        requests = REQUESTS * running.weight // 100
        percent = max(image.error_percent for image in self._images(running.release))
        return SlotCounts(requests=requests, errors=round(requests * percent / 100))

    def _told(self, state: State) -> TargetState:
        slots = tuple(self._slot(colour, state.slots.get(colour)) for colour in ("blue", "green"))
        return TargetState(slots=slots, url=self.url, sequence=state.sequence, settled_at=state.settled_at)

    def _slot(self, colour: Colour, running: RunningSlot | None) -> SlotState:
        if running is None:
            return SlotState(colour=colour, release=None, weight=0)
        healthy = all(image.healthy and not image.silent for image in self._images(running.release))
        instances = tuple(
            InstanceState(service=service, name=f"{colour}-{service}-{number}", digest=None, healthy=healthy)
            for service, count in running.instances.items()
            for number in range(1, count + 1)
        )
        return SlotState(colour=colour, release=running.release, weight=running.weight, instances=instances)


def _colour_of(state: State, release: Release) -> Colour:
    for colour, running in state.slots.items():
        if running.release.fingerprint == release.fingerprint:
            return colour
    raise ReleaseUnhealthy(f"release {release.fingerprint} does not stand in any slot")


def _with(state: State, release: Release) -> State:
    """Return the state, in which `release` stands."""
    _colour_of(state, release)
    return state


def _staged(state: State, release: Release, instances: dict[str, int]) -> State:
    if any(running.release.fingerprint == release.fingerprint for running in state.slots.values()):
        return state
    live = max(state.slots, key=lambda colour: state.slots[colour].weight, default="green")
    running = RunningSlot(release=release, instances=instances)
    return state.model_copy(update={"slots": {**state.slots, other(live): running}})


def _shifted(state: State, release: Release, percent: int) -> State:
    """Return the state with this share for `release`: all of it when there is no other."""
    colour = _colour_of(state, release)
    shares = {colour: percent, other(colour): 100 - percent} if len(state.slots) > 1 else {colour: 100}
    slots = {one: running.model_copy(update={"weight": shares[one]}) for one, running in state.slots.items()}
    return state.model_copy(update={"slots": slots})


def _settled(state: State, release: Release) -> State:
    changed = _shifted(state, release, 100)
    if state.settled == release.fingerprint:
        return changed
    return changed.model_copy(update={"settled": release.fingerprint, "settled_at": datetime.now(UTC)})


def _without(state: State, colour: Colour) -> State:
    """Return the state without what stands in a slot; what stands in the other one has all traffic."""
    slots = {one: running.model_copy(update={"weight": 100}) for one, running in state.slots.items() if one != colour}
    return state.model_copy(update={"slots": slots})


def _withdrawn(state: State, release: Release) -> State:
    """Return the state as it was; of one that passed every watch before, what stands beside it goes."""
    if all(running.release.fingerprint != release.fingerprint for running in state.slots.values()):
        return state
    colour = _colour_of(state, release)
    return _without(state, other(colour) if state.settled == release.fingerprint else colour)
