"""Traffic goes back at the first alarm, once, and never forward again after it."""

import threading

import pytest

from delivery.errors import ReleaseUnhealthy
from delivery.ports.observation import SlotCounts
from delivery.traffic.guard import Burst, Guard


class Switch:
    """Where traffic goes; may refuse to move."""

    def __init__(self, problem: str = "") -> None:
        self.problem, self.moves = problem, 0

    def back(self) -> None:
        if self.problem:
            raise OSError(self.problem)
        self.moves += 1


class Fire:
    """A sentinel that raises its alarm when told."""

    def __init__(self) -> None:
        self.now, self.closed = threading.Event(), False

    def watch(self, guard: Guard) -> None:
        self.now.wait(10)
        if not guard.stopped.is_set():
            guard.alarm("it burns")

    def close(self) -> None:
        self.closed = True
        self.now.set()


def test_the_first_alarm_moves_traffic_and_says_why() -> None:
    switch = Switch()
    guard = Guard(switch.back)

    guard.alarm("green-1 died", details=lambda: "; its log")
    guard.alarm("green-2 died")

    assert switch.moves == 1
    assert guard.fault == "green-1 died; its log"
    assert guard.fallback
    assert guard.fallback.seconds is not None


def test_nobody_waits_for_alarms_of_a_guard_that_is_closed() -> None:
    guard = Guard(Switch().back)
    waiting = threading.Thread(target=guard.wait, args=(60,))
    waiting.start()

    guard.close()

    waiting.join(10)
    assert not waiting.is_alive()


def test_a_sentinel_wakes_whoever_watches() -> None:
    switch, fire = Switch(), Fire()
    guard = Guard(switch.back)
    guard.start([fire])

    fire.now.set()

    assert guard.wait(10)
    assert switch.moves == 1
    guard.close()


def test_nothing_is_sent_to_a_release_after_an_alarm() -> None:
    guard = Guard(Switch().back)
    with guard.unless_at_fault():
        pass
    guard.alarm("green-1 died")

    with pytest.raises(ReleaseUnhealthy, match="green-1 died"), guard.unless_at_fault():
        pytest.fail("traffic was sent")
    with pytest.raises(ReleaseUnhealthy, match="green-1 died"):
        guard.raise_fault()


def test_a_closed_guard_moves_nothing() -> None:
    switch, fire = Switch(), Fire()
    guard = Guard(switch.back)
    guard.start([fire])

    guard.close()
    guard.alarm("too late")

    assert fire.closed
    assert switch.moves == 0
    assert guard.fault == ""


def test_an_alarm_is_heard_although_traffic_cannot_be_moved() -> None:
    guard = Guard(Switch("the router is away").back)

    guard.alarm("green-1 died")

    assert guard.fault == "green-1 died (traffic was not put back at once: the router is away)"
    assert guard.fallback
    assert guard.fallback.seconds is None


def counts(requests: int, errors: int = 0) -> SlotCounts:
    return SlotCounts(requests=requests, errors=errors)


def test_half_of_a_second_failing_is_a_burst() -> None:
    burst = Burst()

    before = burst.add(0, counts(1000), counts(1000))
    found = burst.add(0.1, counts(1010, 5), counts(1010))

    assert (before, found) == ("", "5 of 10 requests failed within 1 s")


def test_where_few_ask_a_burst_takes_longer() -> None:
    burst = Burst()

    found = [burst.add(2.0 * second, counts(second, second), counts(second)) for second in range(6)]

    assert found == ["", "", "", "", "", "5 of 5 requests failed within 10 s"]


@pytest.mark.parametrize(
    ("live", "baseline"),
    [
        (counts(10, 4), counts(10)),  # too few
        (counts(100, 49), counts(10)),  # for the watch to judge
        (counts(10, 10), counts(10, 10)),  # what both depend on is away
    ],
)
def test_what_may_be_something_else_is_no_burst(live: SlotCounts, baseline: SlotCounts) -> None:
    burst = Burst()
    burst.add(0, counts(0), counts(0))

    assert burst.add(0.1, live, baseline) == ""


def test_failures_of_long_ago_are_forgotten() -> None:
    burst = Burst()
    burst.add(0, counts(100, 100), counts(0))
    for tenth in range(1, 200):
        assert burst.add(tenth / 10, counts(100 + tenth, 100), counts(0)) == ""
