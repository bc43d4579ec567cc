"""The page shows what was measured last."""

import pytest
from rich.table import Table

from bench.page import PAGE, as_markdown, tables, with_tables


def one_row(cell: str) -> Table:
    table = Table("what", "how much")
    table.add_row(cell, "1")
    return table


def test_the_page_shows_what_was_kept_last() -> None:
    page = PAGE.read_text()
    assert with_tables(page, tables()) == page, "python -m bench.page"


def test_a_table_is_lines_of_markdown() -> None:
    assert as_markdown(one_row("a")) == "| what | how much |\n| --- | --- |\n| a | 1 |\n"


def test_a_table_takes_the_place_of_the_one_behind_its_mark() -> None:
    page = "before\n\n<!-- measured: x -->\n\n| old |\n| --- |\n\nafter\n"
    changed = with_tables(page, {"x": one_row("new")})
    assert changed == f"before\n\n<!-- measured: x -->\n\n{as_markdown(one_row('new'))}\nafter\n"
    assert with_tables(changed, {"x": one_row("new")}) == changed


def test_a_table_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="stands 0 times"):
        with_tables("nothing\n", {"x": one_row("new")})
