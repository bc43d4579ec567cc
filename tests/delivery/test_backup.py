"""A backup is proven by what came back, and by a comparison that can fail."""

from typing import Any

import pytest

from delivery.backup import BackupProof, TableState, compare, prove

TASKS = TableState(kind="table", name="public.tasks", rows=3, checksum="a")
NUMBERS = TableState(kind="sequence", name="public.tasks_id_seq", rows=3, checksum="true")
COLUMNS = TableState(kind="schema", name="columns", rows=9, checksum="c")
SENTINEL = TableState(kind="table", name="headway_sentinel.row", rows=1, checksum="s")
BEFORE = (TASKS, NUMBERS, COLUMNS, SENTINEL)
DAMAGED = (TASKS, NUMBERS, COLUMNS, SENTINEL.model_copy(update={"rows": 0, "checksum": "0"}))


def proof(after: tuple[TableState, ...] = BEFORE, damaged: tuple[TableState, ...] = DAMAGED) -> BackupProof:
    figures: dict[str, Any] = {"size_bytes": 10, "rpo_seconds": 0.12345, "rto_seconds": 1.98765}
    return prove(BEFORE, after, damaged, sentinel="headway_sentinel", **figures)


def without(state: TableState) -> tuple[TableState, ...]:
    return tuple(one for one in BEFORE if one is not state)


def changed(state: TableState, **update: Any) -> tuple[TableState, ...]:
    return tuple(one.model_copy(update=update) if one is state else one for one in BEFORE)


def test_what_came_back_whole_is_proven_with_its_figures() -> None:
    found = proof()
    assert (found.outcome, found.differences) == ("pass", ())
    assert (found.tables, found.rows, found.rpo_seconds, found.rto_seconds) == (1, 3, 0.123, 1.988)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (without(TASKS), "table public.tasks is missing in the copy"),
        (without(NUMBERS), "sequence public.tasks_id_seq is missing in the copy"),
        ((*BEFORE, COLUMNS.model_copy(update={"name": "more"})), "schema more is only in the copy"),
        (changed(TASKS, rows=2), "table public.tasks: 3 in the database, 2 in the copy"),
        (changed(TASKS, checksum="b"), "table public.tasks: the same number, but other content in the copy"),
        (changed(COLUMNS, checksum="d"), "schema columns: the same number, but other content in the copy"),
    ],
)
def test_a_copy_that_differs_is_no_backup(after: tuple[TableState, ...], said: str) -> None:
    assert (proof(after).outcome, proof(after).differences) == ("fail", (said,))


@pytest.mark.parametrize("after", [without(SENTINEL), changed(SENTINEL, rows=0)])
def test_a_copy_without_the_newest_row_is_no_backup(after: tuple[TableState, ...]) -> None:
    assert "the row written just before the backup is not in the copy" in proof(after).differences


def test_a_comparison_that_cannot_fail_proves_nothing() -> None:
    found = proof(damaged=BEFORE)
    assert found.outcome == "fail"
    assert found.differences == ("a row was taken out of the copy and the comparison did not see it",)


def test_the_order_of_a_look_does_not_matter() -> None:
    assert compare(BEFORE, tuple(reversed(BEFORE))) == ()


def test_a_table_and_a_sequence_of_one_name_are_two_things() -> None:
    sequence = TASKS.model_copy(update={"kind": "sequence"})
    assert compare((TASKS, sequence), (TASKS,)) == ("sequence public.tasks is missing in the copy",)


@pytest.mark.parametrize(("copied", "outcome"), [(2, "fail"), (3, "pass"), (4, "pass"), (5, "pass"), (6, "fail")])
def test_a_sequence_others_went_on_counting_with_may_stand_anywhere_in_between(copied: int, outcome: str) -> None:
    counted = NUMBERS.model_copy(update={"earlier": 3, "rows": 5})
    before = (TASKS, counted, COLUMNS, SENTINEL)
    after = (TASKS, NUMBERS.model_copy(update={"rows": copied}), COLUMNS, SENTINEL)
    found = prove(before, after, DAMAGED, sentinel="headway_sentinel", size_bytes=1, rpo_seconds=0, rto_seconds=0)
    assert found.outcome == outcome
