"""What is told of a measured delivery."""

from dataclasses import replace

import pytest

from bench.figures import AIMS, Figures, Phase, measure
from delivery.report.record import StepTime
from tests.bench.test_bounds import STEPS, record
from tests.delivery.report.records import at

BEGAN = at(-10).timestamp()


def figures() -> Figures:
    return measure("cold", record(*STEPS), began=BEGAN, ended=at(79).timestamp(), set_up=7, cores=2)


def test_a_command_is_set_up_start_steps_and_end() -> None:
    found = figures()
    assert (found.wall, found.set_up, found.start, found.makespan, found.end) == (89, 7, 3, 77, 2)
    assert found.wall == found.set_up + found.start + found.makespan + found.end


def test_the_bound_is_the_longer_of_path_and_work() -> None:
    found = figures()
    assert found.bound == found.path > found.work / 2
    assert found.ratio == pytest.approx(77 / found.path)


def test_the_longest_chain_is_told_with_its_times() -> None:
    found = figures()
    assert [spent.seconds for spent in found.critical if spent.step == "api"] == [20]
    assert sum(spent.seconds for spent in found.critical) == found.path


def test_one_core_makes_the_work_the_bound() -> None:
    found = measure("cold", record(*STEPS), began=BEGAN, ended=at(79).timestamp(), set_up=7, cores=1)
    assert found.bound == found.work > found.path


def test_waits_and_pauses_are_told_longest_first() -> None:
    found = figures()
    assert [gap.before for gap in found.waits] == ["api", "build suite api", "publish release", "stage abc"]
    assert [(gap.after, gap.seconds) for gap in found.pauses] == [("check results", 0.5), ("take staging", 0.5)]


def test_a_phase_that_goes_on_later_is_told_twice() -> None:
    times = [
        *(("deliver", 0, 1), ("build", 1, 4), ("build", 2, 6), ("scan", 6, 7), ("test", 6.5, 9), ("scan", 7, 8)),
        *(("deliver", 9, 10), ("release", 10, 12)),
    ]
    steps = [StepTime(name=name, phase=name, started=at(start), ended=at(end)) for name, start, end in times]
    found = measure("cold", record(steps=steps), began=BEGAN, ended=at(20).timestamp(), set_up=7, cores=2)
    assert found.phases == (
        Phase("deliver", 0, 1, 1),
        Phase("build", 1, 6, 7),
        Phase("scan", 6, 8, 2),
        Phase("test", 6.5, 9, 2.5),
        Phase("deliver", 9, 10, 1),
        Phase("release", 10, 12, 2),
    )


@pytest.mark.parametrize(
    ("scenario", "changed", "reached"),
    [
        ("cold", {"makespan": 125.0, "bound": 100.0}, True),
        ("cold", {"makespan": 126.0, "bound": 100.0}, False),
        ("one-service", {"makespan": 1.0, "bound": 0.0}, False),
        ("no-change", {"wall": 10.0}, True),
        ("no-change", {"wall": 10.1}, False),
        ("no-op", {"wall": 15.0, "makespan": 99.0}, True),
    ],
)
def test_an_aim_is_reached_or_not(scenario: str, changed: dict[str, float], reached: bool) -> None:
    assert AIMS[scenario].is_reached(replace(figures(), **changed)) is reached


def test_an_aim_says_what_it_looks_at() -> None:
    assert str(AIMS["cold"]) == "makespan ≤ 1.25 × bound"
    assert str(AIMS["no-op"]) == "wall ≤ 15 s"
