"""The matrix has every cell once, and no two cells get in each other's way."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from delivery.spec.matrix import Cell, cells_of, expand, variable_name
from delivery.spec.suites import Suite
from tests.delivery.values import make_app

NAMES = st.from_regex(r"[a-z](-?[a-z0-9]){0,3}", fullmatch=True)
VALUES = st.lists(st.text(max_size=4), min_size=1, max_size=3, unique=True)
SUITES = st.builds(
    lambda axes, shards: Suite(image="web", axes={name: tuple(values) for name, values in axes.items()}, shards=shards),
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.integers(1, 4),
)


@given(SUITES)
def test_every_combination_of_axes_and_shards_is_there_once(suite: Suite) -> None:
    cells = cells_of("unit", suite)
    wanted = suite.shards
    for values in suite.axes.values():
        wanted *= len(values)
    found = {(tuple(cell.axes.items()), cell.shard) for cell in cells}
    assert len(cells) == len(found) == wanted


@given(SUITES)
def test_the_shards_of_a_combination_make_up_the_whole(suite: Suite) -> None:
    by_axes: dict[tuple[Any, ...], list[int]] = {}
    for cell in cells_of("unit", suite):
        by_axes.setdefault(tuple(cell.axes.items()), []).append(cell.shard)
    assert all(shards == list(range(1, suite.shards + 1)) for shards in by_axes.values())


@given(SUITES)
def test_no_two_cells_share_a_file_name(suite: Suite) -> None:
    slugs = [cell.slug for cell in cells_of("unit", suite)]
    assert len(set(slugs)) == len(slugs)
    assert all("/" not in slug and slug.isprintable() and slug.isascii() for slug in slugs)


@given(SUITES)
def test_a_cell_is_told_its_place(suite: Suite) -> None:
    for cell in cells_of("unit", suite):
        assert cell.variables["HEADWAY_SHARD"] == str(cell.shard)
        assert cell.variables["HEADWAY_SHARD_INDEX"] == str(cell.shard - 1)
        assert all(cell.variables[variable_name(axis)] == value for axis, value in cell.axes.items())


def test_a_cell_is_called_by_suite_values_and_shard() -> None:
    cell = Cell(suite="api", axes={"node": "22", "os": "debian"}, shard=1, shards=2)
    assert (cell.name, Cell(suite="unit").name) == ("api[node=22,os=debian] 1/2", "unit")


def test_axis_values_are_filled_in() -> None:
    assert Cell(suite="api", axes={"node": "22"}).fill_axes("node:${node} ${other}") == "node:22 ${other}"


def test_suites_of_an_environment_are_not_in_the_matrix() -> None:
    suites = {"unit": {"image": "web", "shards": 2}, "e2e": {"image": "web"}}
    app = make_app(suites=suites, environments={"staging": {"acceptance": ["e2e"]}})
    assert [cell.name for cell in expand(app)] == ["unit 1/2", "unit 2/2"]
