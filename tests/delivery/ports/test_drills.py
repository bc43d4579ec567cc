"""What a drill has to show of the tables that are in use."""

import pytest

from delivery.ports.drills import judge_drill
from delivery.ports.table_states import SENTINEL, TableState

MARK = TableState(kind=SENTINEL, name="4711", rows=1, checksum="s")
TASKS = TableState(kind="table", name="public.tasks", rows=90, checksum="a")
CACHE = TableState(kind="table", name="public.cache", rows=0, checksum="0", unlogged=True)
IN_USE = {"public.tasks": 100, "public.cache": 1000}


def test_a_copy_with_the_mark_and_most_of_the_rows_is_good_and_what_no_log_has_may_be_empty():
    assert judge_drill((MARK, TASKS, CACHE), sentinel="4711", in_use=IN_USE) == ()


@pytest.mark.parametrize(
    ("copy", "told"),
    [
        ((TASKS, CACHE), "what was written just before is not in the copy: it is older than it says"),
        ((MARK, CACHE), "public.tasks is missing in the copy"),
        ((MARK, TASKS), "public.cache is missing in the copy"),
        ((MARK, TASKS.model_copy(update={"rows": 89}), CACHE), "public.tasks: 89 of 100 rows in the copy"),
        ((MARK, TASKS, CACHE.model_copy(update={"unlogged": False})), "public.cache: 0 of 1000 rows in the copy"),
    ],
)
def test_what_a_copy_lacks_is_told(copy, told):
    assert judge_drill(copy, sentinel="4711", in_use=IN_USE) == (told,)
