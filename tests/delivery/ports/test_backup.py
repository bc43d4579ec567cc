"""A backup is proven by what came back, and by a comparison that can fail."""

from typing import Any

import pytest

from delivery.ports.backups import BackupProof, compare, differs_in_definitions, prove
from delivery.ports.table_states import TableState

TASKS = TableState(kind="table", name="public.tasks", rows=3, checksum="a")
NUMBERS = TableState(kind="sequence", name="public.tasks_id_seq", rows=3, checksum="true")
VIEW = TableState(kind="view", name="public.open", rows=0, checksum="c", definition=True)
FILLED = TableState(kind="materialized view", name="public.total", rows=0, checksum="filled")
SENTINEL = TableState(kind="sentinel", name="4711", rows=1, checksum="s")
BEFORE = (TASKS, NUMBERS, VIEW, FILLED, SENTINEL)
DAMAGED = (TASKS.model_copy(update={"rows": 2, "checksum": "0"}), NUMBERS, FILLED)


def proof(after: tuple[TableState, ...] = BEFORE, damaged: tuple[TableState, ...] = DAMAGED) -> BackupProof:
    figures: dict[str, Any] = {"size_bytes": 10, "rpo_seconds": 0.12345, "rto_seconds": 1.98765}
    return prove(BEFORE, after, damaged, sentinel="4711", **figures)


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
        (without(VIEW), "view public.open is missing in the copy"),
        ((*BEFORE, VIEW.model_copy(update={"name": "more"})), "view more is only in the copy"),
        ((*BEFORE, TASKS.model_copy(update={"name": 'a."b\nc"'})), 'table a."b\\nc" is only in the copy'),
        (changed(TASKS, rows=2), "table public.tasks: 3 in the database, 2 in the copy"),
        (changed(TASKS, checksum="b"), "table public.tasks: as many rows, but other content in the copy"),
        (changed(VIEW, checksum="d"), "view public.open: not defined in the copy as it is in the database"),
        (changed(NUMBERS, checksum="false"), "sequence public.tasks_id_seq: not the same in the copy"),
        (
            changed(FILLED, checksum="empty"),
            "materialized view public.total: filled in the database, empty in the copy",
        ),
    ],
)
def test_a_copy_that_differs_is_no_backup(after: tuple[TableState, ...], said: str) -> None:
    assert (proof(after).outcome, proof(after).differences) == ("fail", (said,))


@pytest.mark.parametrize("after", [without(SENTINEL), changed(SENTINEL, rows=0)])
def test_a_copy_without_the_newest_row_is_no_backup(after: tuple[TableState, ...]) -> None:
    assert "what was written just before the backup is not in the copy" in proof(after).differences


@pytest.mark.parametrize("damaged", [BEFORE, (TASKS, NUMBERS, FILLED), (*DAMAGED, SENTINEL), (TASKS, FILLED, SENTINEL)])
def test_a_comparison_that_cannot_fail_proves_nothing(damaged: tuple[TableState, ...]) -> None:
    found = proof(damaged=damaged)
    assert found.outcome == "fail"
    assert found.differences == ("a row was taken out of the copy and the comparison did not see it",)


def test_a_database_without_rows_is_proven_by_the_sentinel_alone() -> None:
    empty = (TASKS.model_copy(update={"rows": 0}), SENTINEL)
    figures: dict[str, Any] = {"size_bytes": 1, "rpo_seconds": 0, "rto_seconds": 0}
    assert prove(empty, empty, empty[:1], sentinel="4711", **figures).outcome == "pass"


def test_a_definition_in_the_words_of_the_server_that_read_it_in_is_the_same() -> None:
    read = VIEW.model_copy(update={"checksum": "read in"})
    after = changed(VIEW, checksum="read in")
    assert differs_in_definitions(BEFORE, after)
    assert compare(BEFORE, after, (read,)) == ()
    assert len(compare(BEFORE, changed(VIEW, checksum="damaged"), (read,))) == 1


def test_content_is_never_excused_by_what_was_read_in() -> None:
    other = TASKS.model_copy(update={"checksum": "b"})
    after = changed(TASKS, checksum="b")
    assert not differs_in_definitions(BEFORE, after)
    assert len(compare(BEFORE, after, (other,))) == 1


def test_a_table_that_is_missing_is_told_once() -> None:
    table = TASKS.model_copy(update={"definition": True})
    assert compare((TASKS, table), ()) == ("table public.tasks is missing in the copy",)


def test_the_order_of_a_look_does_not_matter() -> None:
    assert compare(BEFORE, tuple(reversed(BEFORE))) == ()


def test_a_table_and_a_sequence_of_one_name_are_two_things() -> None:
    sequence = TASKS.model_copy(update={"kind": "sequence"})
    assert compare((TASKS, sequence), (TASKS,)) == ("sequence public.tasks is missing in the copy",)


@pytest.mark.parametrize(("copied", "outcome"), [(2, "fail"), (3, "pass"), (4, "pass"), (5, "pass"), (6, "fail")])
def test_a_sequence_others_went_on_counting_with_may_stand_anywhere_in_between(copied: int, outcome: str) -> None:
    counted = NUMBERS.model_copy(update={"earlier": 3, "rows": 5})
    before = (TASKS, counted, SENTINEL)
    after = (TASKS, NUMBERS.model_copy(update={"rows": copied}), SENTINEL)
    found = prove(before, after, DAMAGED, sentinel="4711", size_bytes=1, rpo_seconds=0, rto_seconds=0)
    assert found.outcome == outcome
