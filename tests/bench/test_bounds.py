"""How fast a delivery could be, from what its steps need of each other."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.bounds import Gap, last_chain, longest_chain, makespan_seconds, needs_of, pauses, work_seconds
from delivery.ports.cells import CellResult
from delivery.report.record import DeliveryRecord, StepTime
from delivery.spec.matrix import Cell
from tests.delivery.report.records import at
from tests.delivery.values import NOON

CELLS = (
    CellResult(cell=Cell(suite="unit", shard=1, shards=2), outcome="passed"),
    CellResult(cell=Cell(suite="unit", shard=2, shards=2), outcome="passed"),
    CellResult(cell=Cell(suite="api"), outcome="passed"),
)
# A whole delivery as it runs: builds two at a time, everything else after all of them.
STEPS = [
    ("check out HEAD", 0, 1),
    ("lay out sources", 1, 2),
    ("build backend", 2, 12),
    ("build frontend", 2, 6),
    ("build suite unit", 6, 9),
    ("build suite api", 9, 17),
    ("build suite e2e", 12, 40),
    ("prepare scanner", 40, 43),
    ("unit 1/2", 40, 45),
    ("unit 2/2", 40, 44),
    ("api", 40, 60),
    ("scan backend", 43, 45),
    ("scan frontend", 43, 44),
    ("sbom backend", 45, 46),
    ("check findings", 46, 46.5),
    ("check results", 60, 60.5),
    ("publish release", 61, 62),
    ("take staging", 62, 62.5),
    ("stage abc", 63, 65),
    ("accept staging by e2e", 65, 70),
    ("watch 3.0 s", 70, 73),
    ("keep decision", 73, 74),
    ("stage abc", 74, 76),
    ("clean up", 76, 77),
]


def step(name: str, start: float, end: float) -> StepTime:
    return StepTime(name=name, started=at(start), ended=at(end))


def record(*steps: tuple[str, float, float], **more: Any) -> DeliveryRecord:
    fields = {"run": "r", "environment": "production", "outcome": "delivered", "started": NOON, "ended": NOON}
    return DeliveryRecord.model_validate(fields | {"cells": CELLS, "steps": [step(*one) for one in steps]} | more)


def needed(name: str, *steps: tuple[str, float, float]) -> set[str]:
    """Return the names of what the last step called `name` needs, in a whole delivery or in `steps`."""
    found = record(*(steps or STEPS))
    number = max(number for number, one in enumerate(found.steps) if one.name == name)
    return {found.steps[before].name for before in needs_of(found)[number]}


LEAD = {"check out HEAD", "lay out sources"}
IMAGES = {"build backend", "build frontend"}


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("check out HEAD", set()),
        ("lay out sources", {"check out HEAD"}),
        ("build backend", LEAD),
        ("build suite e2e", LEAD),
        ("prepare scanner", LEAD),
        ("scan backend", {*LEAD, "build backend", "prepare scanner"}),
        ("sbom backend", {*LEAD, "build backend", "prepare scanner"}),
        ("check findings", {*LEAD, "scan backend", "scan frontend"}),
        ("unit 2/2", {*LEAD, *IMAGES, "build suite unit"}),
        ("api", {*LEAD, *IMAGES, "build suite api"}),
        ("check results", {*LEAD, "unit 1/2", "unit 2/2", "api"}),
    ],
)
def test_a_step_needs_what_it_is_made_from(name: str, needs: set[str]) -> None:
    assert needed(name) == needs


def test_a_release_needs_all_but_the_suites_that_run_later() -> None:
    tested = {"unit 1/2", "unit 2/2", "api", "check results"}
    scanned = {"scan backend", "scan frontend", "sbom backend", "check findings"}
    assert needed("publish release") == {*LEAD, *IMAGES, *tested, *scanned}


def test_acceptance_needs_its_suite_and_the_release_in_its_place() -> None:
    assert {"build suite e2e", "stage abc", "publish release"} <= needed("accept staging by e2e")
    assert "build suite api" not in needed("accept staging by e2e")


def test_what_comes_after_the_release_takes_turns() -> None:
    assert {"accept staging by e2e", "watch 3.0 s"} <= needed("keep decision")
    assert {"keep decision", "publish release"} <= needed("stage abc")
    assert "stage abc" in needed("clean up")


def test_what_overlaps_needs_nothing_of_each_other() -> None:
    steps = [("publish release", 0, 1), ("stage abc", 1, 4), ("restore a backup of production", 2, 3)]
    assert needed("restore a backup of production", *steps) == {"publish release"}


def test_a_second_attempt_needs_the_first() -> None:
    steps = [("check out HEAD", 0, 1), ("build backend", 1, 2), ("build backend", 4, 5)]
    assert needed("build backend", *steps) == {"check out HEAD", "build backend"}


def test_the_longest_chain_leaves_out_what_was_only_waited_for() -> None:
    found = record(*STEPS)
    path = [one.name for one in longest_chain(found.steps, needs_of(found))]
    assert path == [
        *("check out HEAD", "lay out sources", "build backend", "api", "check results", "publish release"),
        *("take staging", "stage abc", "accept staging by e2e", "watch 3.0 s", "keep decision", "stage abc"),
        "clean up",
    ]


def test_a_long_acceptance_suite_is_on_the_chain_by_its_image() -> None:
    found = record(
        ("check out", 0, 1), ("build suite e2e", 1, 90), ("publish release", 90, 91), ("accept s by e2e", 91, 92)
    )
    path = [one.name for one in longest_chain(found.steps, needs_of(found))]
    assert path == ["check out", "build suite e2e", "accept s by e2e"]


def test_the_last_chain_says_who_waited_for_nothing() -> None:
    found = record(*STEPS)
    waits = {link.step.name: link.waited for link in last_chain(found.steps, needs_of(found)) if link.waited}
    assert waits == {"build suite api": 7, "api": 23, "publish release": 0.5, "stage abc": 0.5}


def test_no_chain_without_steps() -> None:
    assert longest_chain((), {}) == ()
    assert last_chain((), {}) == ()
    assert makespan_seconds(()) == 0
    assert work_seconds((), 2) == 0


@pytest.mark.parametrize(
    ("steps", "cores", "work"),
    [
        ([("a", 0, 5)], 2, 5),
        ([("a", 0, 5), ("b", 0, 5)], 2, 10),
        ([("a", 0, 5), ("b", 0, 5), ("c", 0, 5)], 2, 10),  # each had two thirds of a core
        ([("a", 0, 4), ("b", 2, 6)], 1, 6),
        ([("a", 0, 1), ("watch 10 s", 1, 11), ("watch 1.5 s", 11, 12.5), ("take staging", 13, 99)], 2, 1),
    ],
)
def test_work_is_what_the_cores_did(steps: list[tuple[str, float, float]], cores: int, work: float) -> None:
    assert work_seconds([step(*one) for one in steps], cores) == work


def test_pauses_are_told_with_what_stands_around_them() -> None:
    found = pauses([step("a", 0, 5), step("b", 1, 2), step("c", 5.5, 6), step("d", 9, 10)])
    assert found == [Gap("c", "d", 3.0), Gap("a", "c", 0.5)]


NAMES = st.sampled_from([name for name, *_ in STEPS])
ANY = st.lists(st.tuples(NAMES, st.floats(0, 100), st.floats(0, 50)), min_size=1, max_size=12)


@given(ANY, st.integers(1, 8))
def test_no_bound_is_above_what_was_seen(steps: list[tuple[str, float, float]], cores: int) -> None:
    found = record(*((name, start, start + length) for name, start, length in steps))
    seen = makespan_seconds(found.steps) + 1e-6
    assert sum(one.seconds for one in longest_chain(found.steps, needs_of(found))) <= seen
    assert work_seconds(found.steps, cores) / cores <= seen


@given(ANY)
def test_the_last_chain_adds_up(steps: list[tuple[str, float, float]]) -> None:
    found = record(*((name, start, start + length) for name, start, length in steps))
    chain = last_chain(found.steps, needs_of(found))
    whole = chain[-1].step.ended - chain[0].step.started
    assert sum(link.step.seconds + link.waited for link in chain) == pytest.approx(whole / timedelta(seconds=1))
    assert all(link.waited >= 0 for link in chain)
