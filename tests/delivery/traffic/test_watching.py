"""A watch: what it asks, when it ends, and what it says; without waiting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from delivery.errors import Transient
from delivery.ports.latency import LatencyHistogram
from delivery.ports.observation import Observation, SlotCounts
from delivery.ports.slots import Colour
from delivery.spec.environments import Watch
from delivery.traffic.watching import Clock, TrafficWatch

WINDOW = Watch(min_requests=20, interval_seconds=1, longer_seconds=0)


@dataclass
class Time:
    """A clock that is moved by waiting."""

    now: float = 0.0

    def wait(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)


@dataclass
class Traffic:
    """Users who ask so often each second, and how often each slot fails them."""

    time: Time
    per_second: dict[Colour, float]
    failing: dict[Colour, float] = field(default_factory=dict)
    milliseconds: dict[Colour, float] = field(default_factory=dict)
    before_ms: float = 10.0
    unreadable: Callable[[float], bool] = lambda now: False

    def read(self) -> Mapping[Colour, SlotCounts]:
        if self.unreadable(self.time.now):
            raise Transient("the router does not answer")
        return {colour: self._counts(colour) for colour in ("blue", "green")}

    def before(self, colour: Colour) -> LatencyHistogram:
        return LatencyHistogram.of([self.before_ms] * 500)

    def close(self) -> None:
        pass

    def _counts(self, colour: Colour) -> SlotCounts:
        requests = round(self.per_second.get(colour, 0) * self.time.now)
        latency = LatencyHistogram.of([self.milliseconds.get(colour, 10.0)] * requests)
        errors = round(requests * self.failing.get(colour, 0))
        return SlotCounts(requests=requests, errors=errors, latency=latency)


@dataclass
class Probes:
    """Answers well, or not at all, and remembers who was asked."""

    failing: tuple[Colour, ...] = ()
    asked: dict[Colour, int] = field(default_factory=dict)

    def ask(self, colour: Colour, requests: int) -> SlotCounts:
        self.asked[colour] = self.asked.get(colour, 0) + requests
        errors = requests if colour in self.failing else 0
        return SlotCounts(requests=requests, errors=errors, latency=LatencyHistogram.of([5.0] * (requests - errors)))


def watch(
    traffic: Traffic,
    probes: Probes | None = None,
    *,
    seconds: float = 10,
    percent: int = 50,
    window: Watch = WINDOW,
    fault: Callable[[], str] = str,
    is_over: Callable[[], bool] = bool,
) -> Observation:
    clock = Clock(now=lambda: traffic.time.now, wait=traffic.time.wait)
    return TrafficWatch(traffic, probes or Probes(), "green", percent, window, fault, clock, is_over).look(seconds)


def test_users_who_are_answered_well_are_enough() -> None:
    probes = Probes()

    seen = watch(Traffic(Time(), {"blue": 50, "green": 50}), probes)

    assert (seen.verdict, seen.seconds, seen.live.requests, seen.baseline.requests) == ("healthy", 10, 500, 500)
    assert probes.asked == {}


def test_below_the_floor_both_slots_are_asked_alike() -> None:
    probes = Probes()

    seen = watch(Traffic(Time(), {}), probes)

    assert probes.asked == {"green": 20, "blue": 20}
    assert (seen.verdict, seen.live.requests, seen.baseline.requests) == ("healthy", 20, 20)


def test_probes_that_only_the_new_slot_fails_find_it_out() -> None:
    seen = watch(Traffic(Time(), {}), Probes(failing=("green",)))

    assert seen.verdict == "unhealthy"


def test_a_release_that_is_withdrawn_meanwhile_is_watched_no_longer() -> None:
    traffic, longer = Traffic(Time(), {}), WINDOW.model_copy(update={"longer_seconds": 60})

    seen = watch(traffic, window=longer, is_over=lambda: traffic.time.now >= 3)

    assert (seen.verdict, seen.seconds) == ("inconclusive", 3)


def test_a_fault_ends_the_watch_at_once() -> None:
    traffic = Traffic(Time(), {"blue": 50, "green": 50})

    seen = watch(traffic, fault=lambda: "green-1 died" if traffic.time.now >= 3 else "")

    assert (seen.verdict, seen.reason, seen.seconds) == ("unhealthy", "green-1 died", 3)


def test_failing_users_end_the_watch_before_its_time() -> None:
    seen = watch(Traffic(Time(), {"blue": 50, "green": 50}, failing={"green": 0.5}), seconds=600)

    assert seen.verdict == "unhealthy"
    assert seen.seconds < 10


def test_a_slow_release_is_compared_with_the_other_slot() -> None:
    seen = watch(Traffic(Time(), {"blue": 50, "green": 50}, milliseconds={"green": 200.0}))

    assert seen.verdict == "unhealthy"


def test_with_all_traffic_it_is_compared_with_what_was_before() -> None:
    alone = Traffic(Time(), {"green": 50}, milliseconds={"green": 200.0})
    as_before = Traffic(Time(), {"green": 50}, milliseconds={"green": 200.0}, before_ms=190.0)

    assert watch(alone, percent=100).verdict == "unhealthy"
    assert watch(as_before, percent=100).verdict == "healthy"


def test_counters_that_cannot_be_read_are_no_pass() -> None:
    seen = watch(Traffic(Time(), {"blue": 50, "green": 50}, unreadable=lambda now: True))

    assert (seen.verdict, seen.reason) == ("inconclusive", "the counters could not be read: the router does not answer")


def test_counters_that_cannot_be_read_for_a_moment_do_no_harm() -> None:
    seen = watch(Traffic(Time(), {"blue": 50, "green": 50}, unreadable=lambda now: 2 <= now < 5))

    assert (seen.verdict, seen.seconds) == ("healthy", 10)


PATIENT = WINDOW.model_copy(update={"longer_seconds": 120})


def test_a_look_that_can_tell_does_not_go_on() -> None:
    seen = watch(Traffic(Time(), {"blue": 50, "green": 50}), window=PATIENT)

    assert (seen.verdict, seen.seconds) == ("healthy", 10)


def test_when_it_cannot_be_told_the_watch_goes_on_until_it_is_clear() -> None:
    away = Traffic(Time(), {"blue": 50, "green": 50}, unreadable=lambda now: now < 15)

    seen = watch(away, window=PATIENT)

    assert (seen.verdict, seen.seconds) == ("healthy", 15)


def test_a_few_failures_more_than_allowed_are_looked_at_longer() -> None:
    unlucky = Traffic(Time(), {"blue": 5, "green": 5}, failing={"green": 0.02})

    seen = watch(unlucky, window=PATIENT)

    assert (seen.verdict, seen.seconds) == ("unhealthy", 130)
    assert "13 of 650 requests failed" in seen.reason


def test_looking_on_asks_on_where_nobody_else_does() -> None:
    probes = Probes()

    watch(Traffic(Time(), {}, unreadable=lambda now: now < 100), probes, window=PATIENT)

    assert probes.asked == {"green": 260, "blue": 260}


def test_a_watch_of_no_time_looks_once() -> None:
    seen = watch(Traffic(Time(), {}), seconds=0)

    assert (seen.verdict, len(seen.samples)) == ("healthy", 1)


def test_the_picture_of_a_long_watch_stays_small() -> None:
    seldom = WINDOW.model_copy(update={"interval_seconds": 5})

    seen = watch(Traffic(Time(), {"blue": 0.5, "green": 0.5}), seconds=3000, window=seldom)

    assert seen.live.requests == 1500
    assert 250 <= len(seen.samples) <= 301
