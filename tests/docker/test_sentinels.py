"""A hard fault puts traffic back at once; an application that is only late has the time of its settings."""

from types import SimpleNamespace

import pytest

from delivery.docker.target import sentinels
from delivery.docker.target.sentinels import HealthSentinel, RouterSentinel
from delivery.errors import Transient
from delivery.ports.observation import SlotCounts
from delivery.programs.haproxy_runtime import ServerStat
from delivery.spec.answer import Answer
from delivery.spec.services import Service
from delivery.traffic.guard import Guard, Sight

WELL, LATE = Answer(status=200, headers={"x-headway-instance": "green-1"}), Answer(timed_out=True)
SICK, REFUSED = Answer(status=503, headers={"x-headway-instance": "green-1"}), Answer(status=503)


def fault_after(answers, **health):
    """Return what a guard hears of an instance that answers so, and then nothing more."""
    guard, left = Guard(lambda: None), list(answers)
    settings = {"path": "/up", "interval_seconds": 0.1} | health
    service = Service.model_validate({"port": 1, "health": settings})

    def get(_):
        if not left:
            guard.stopped.set()
        return left.pop(0) if left else WELL

    router = SimpleNamespace(http_probe=lambda *_: SimpleNamespace(get=get, close=lambda: None))
    container = SimpleNamespace(name="web-1")
    instance = SimpleNamespace(service="web", server="green-1", file=service, container=container)
    HealthSentinel(router, instance).watch(guard)
    return guard.fault


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([SICK] * 3, "web-1 answers 503 at /up, 3 times in a row (services.web.health)"),
        ([REFUSED] * 3, "web-1 answers no connection at /up, 3 times in a row (services.web.health)"),
        ([LATE] * 3, "web-1 answers nothing within 5 s at /up, 3 times in a row (services.web.health.timeout_seconds)"),
        ([LATE, LATE, WELL, LATE, LATE, WELL], ""),
        ([SICK, WELL, SICK, SICK, WELL], ""),
    ],
)
def test_a_release_is_withdrawn_for_as_many_failed_checks_as_its_settings_say(answers, said):
    assert fault_after(answers) == said


def test_a_service_may_fail_more_often_when_it_says_so():
    assert fault_after([SICK] * 4 + [WELL], failures=5) == ""


def down(check):
    return ServerStat(service="web", server="green-1", status="DOWN", weight=1, sessions=0, requests=0, check=check)


def router_fault(monkeypatch, check, late_seconds, looks=6):
    guard = Guard(lambda: None)
    left = [looks]

    def stat():
        left[0] -= 1
        if not left[0]:
            guard.stopped.set()
        return [down(check)]

    nothing = {"blue": SlotCounts(), "green": SlotCounts()}
    runtime = SimpleNamespace(stat=stat, close=lambda: None)
    answers = SimpleNamespace(counts=lambda: nothing, close=lambda: None)
    monkeypatch.setattr(sentinels, "Runtime", lambda _: runtime)
    monkeypatch.setattr(sentinels, "Answers", lambda _: answers)
    monkeypatch.setattr(sentinels, "LOOK_SECONDS", 0.001)
    RouterSentinel(None, "green", late_seconds).watch(guard)
    return guard.fault


def test_an_instance_that_is_down_is_told_with_reason_and_key(monkeypatch):
    said = "the router finds web green-1 is DOWN (L7STS 503; services.web.health)"

    assert router_fault(monkeypatch, "L7STS 503", late_seconds=600) == said


@pytest.mark.parametrize(("late_seconds", "faulty"), [(600, False), (0, True)])
def test_an_instance_whose_connections_are_late_is_given_its_time(monkeypatch, late_seconds, faulty):
    assert bool(router_fault(monkeypatch, "L4TOUT", late_seconds)) is faulty


class Blind:
    """A sentinel that dies at once, or gives up."""

    def __init__(self, error=None):
        self.error = error

    def watch(self, guard):
        if self.error:
            raise self.error

    def close(self):
        pass


@pytest.mark.parametrize(
    ("sentinel", "why"), [(Blind(KeyError("scur")), "KeyError: 'scur'"), (Blind(), "it ended by itself")]
)
def test_a_watcher_that_dies_is_a_fault_and_traffic_goes_back(sentinel, why):
    back = []
    guard = Guard(lambda: back.append(True))

    guard.start([sentinel])
    assert guard.wait(10)
    guard.close()

    assert (guard.fault, back) == (f"the release is watched no longer: Blind died ({why})", [True])


def test_a_watcher_that_ends_because_it_is_told_to_is_no_fault():
    guard = Guard(lambda: None)
    guard.start([SimpleNamespace(watch=lambda guard: guard.stopped.wait(10), close=lambda: None)])

    guard.close()

    assert guard.fault == ""


@pytest.mark.parametrize("unreadable", ["stat", "counts"])
def test_a_router_that_cannot_be_read_for_long_is_told(monkeypatch, unreadable):
    """The clock of the watcher moves ten seconds with every look."""
    guard, clock = Guard(lambda: None), iter(range(0, 10_000, 10))

    def silent():
        if guard.fault:
            guard.stopped.set()
        raise Transient("connection refused")

    def both(answer, name):
        return silent if name == unreadable else lambda: answer

    parts = {"stat": both([], "stat"), "counts": both({}, "counts"), "close": lambda: None}
    monkeypatch.setattr(sentinels, "Runtime", lambda _: SimpleNamespace(**parts))
    monkeypatch.setattr(sentinels, "Answers", lambda _: SimpleNamespace(**parts))
    monkeypatch.setattr(sentinels, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(sentinels, "Sight", lambda what: Sight(what, now=lambda: next(clock)))
    RouterSentinel(None, "green").watch(guard)

    assert guard.fault == ("the release is watched no longer: the router is silent for 30 s (connection refused)")
