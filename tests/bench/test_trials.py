"""A fault acts at its moment, on the release it belongs to, or is told not to have acted."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from bench.ending import Ending
from bench.fault_tables import back_seconds, beside, side_table
from bench.trials import FAULTS, Fault, Hand, Shares, Side

SOON = 20.0


@dataclass
class Instance:
    """A container that remembers what it was sent."""

    log: bytes = b"serving"
    sent: list[str] = field(default_factory=list)

    def kill(self, signal: str = "SIGKILL") -> None:
        self.sent.append(signal)

    def logs(self) -> bytes:
        return self.log


@dataclass
class Share:
    """A share that is what it is set to."""

    percent: float = 0.0

    def now(self) -> float:
        return self.percent

    def began(self) -> float | None:
        return 12.5 if self.percent else None

    def ended(self) -> float | None:
        return None


@dataclass
class Place:
    """A side with two instances that are there already."""

    name: str = "somewhere"
    instances: int = 2
    has_verdict: bool = True
    url: str = ""
    running: list[Any] = field(default_factory=lambda: [Instance(), Instance()])

    def prepare(self, kind: str, number: int) -> Any:
        return kind, number

    def put_live(self, release: Any) -> Ending:
        return Ending.of(None, began=0, ended=1)

    def containers(self, release: Any) -> list[Any]:
        return self.running

    def things(self) -> set[str]:
        return set()

    def shares(self) -> AbstractContextManager[Shares]:
        return nullcontext(Share())


def fault(kind: str) -> Fault:
    return next(one for one in FAULTS if one.kind == kind)


def hand(place: Side, kind: str, percent: float) -> Hand:
    return Hand(place, fault(kind), ("", 1), Share(percent), settle_seconds=0)


def trial(**changed: object) -> dict[str, object]:
    told = {"caught": True, "acted": True, "back": True, "got_traffic": True, "back_seconds": 0.5, "leftovers": ()}
    counts = {
        "failed_idempotent": 0,
        "failed_other": 2,
        "closed": 1,
        "withdrawn_seconds": 3.0,
        "answered_seconds": 0.25,
    }
    return {**told, **counts, **changed}


def cells(table: Any) -> list[list[str]]:
    return [list(row) for row in zip(*(column.cells for column in table.columns), strict=True)]


def test_what_shall_die_at_half_of_the_traffic_is_killed_then() -> None:
    place = Place()
    assert hand(place, "dies", 50).acted(SOON)
    assert [one.sent for one in place.running] == [["SIGKILL"], ["SIGKILL"]]


def test_a_fault_whose_moment_does_not_come_did_not_act() -> None:
    place = Place()
    waiting = hand(place, "dies", 10)
    waiting.end()
    assert waiting.began is None
    assert [one.sent for one in place.running] == [[], []]


def test_half_of_the_instances_are_told_to_lie_before_they_get_traffic() -> None:
    place = Place()
    assert hand(place, "half-liar", 0).acted(SOON)
    assert [one.sent for one in place.running] == [["SIGUSR2"], ["SIGUSR1"]]


def test_instances_that_do_not_serve_yet_are_told_nothing() -> None:
    place = Place(running=[Instance(), Instance(log=b"")])
    waiting = hand(place, "half-liar", 0)
    waiting.end()
    assert [one.sent for one in place.running] == [[], []]


def test_a_release_that_is_at_fault_by_itself_is_so_from_its_first_request_on() -> None:
    acting = hand(Place(), "failing", 10)
    assert acting.acted(SOON)
    assert acting.began == 12.5


def test_a_release_that_never_got_traffic_has_no_time_to_be_back() -> None:
    assert back_seconds([trial(got_traffic=False, back_seconds=None)]) == ("no traffic", "–")


def test_a_fault_that_was_not_ended_has_no_time_to_be_back() -> None:
    assert back_seconds([trial(back=False, back_seconds=None)]) == ("–", "–")


def test_only_trials_in_which_the_fault_acted_can_be_caught() -> None:
    early = trial(acted=False, back_seconds=None, withdrawn_seconds=None)
    row = cells(side_table("Headway", {"killed at 50 %": [trial(), trial(caught=False), early]}))[0]
    assert row[:3] == ["killed at 50 %", "1 of 2, 1 ended before", "2 of 2"]


def test_failed_requests_of_all_trials_are_counted_by_kind() -> None:
    row = cells(side_table("Headway", {"killed at 50 %": [trial(), trial(failed_idempotent=3)]}))[0]
    assert row[3:] == ["3", "4", "2", "0.50 s", "0.50 s", "0.25 s", "3.0 s", "0"]


def test_a_good_release_that_was_withdrawn_was_caught_for_nothing() -> None:
    row = cells(side_table("Headway", {"none: a good release": [trial(), trial(caught=False)]}))[0]
    assert row[1:3] == ["1 of 2 (for nothing)", "–"]


def test_a_fault_that_is_not_always_ended_is_told_so() -> None:
    trials = [trial(), trial(back=False, back_seconds=None)]
    assert cells(beside({"Headway": {"faults": {"latency × 5": trials}}})) == [
        ["latency × 5", "2; 0.50 s, stays in 1 of 2"],
    ]


def test_beside_each_other_stand_failed_requests_and_what_became_of_the_fault() -> None:
    sides = {
        "Headway": {"faults": {"none: a good release": [trial()], "killed at 50 %": [trial()]}},
        "other": {"faults": {"killed at 50 %": [trial(back=False, back_seconds=None, failed_idempotent=900)]}},
    }
    assert cells(beside(sides)) == [
        ["none: a good release", "2", "not possible"],
        ["killed at 50 %", "2; 0.50 s", "902; stays"],
    ]
