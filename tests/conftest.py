"""What holds for every test: made-up examples have no deadline, because a test asserts no time."""

import pytest
from hypothesis import settings

settings.register_profile("headway", max_examples=50, deadline=None, database=None, print_blob=True)
settings.load_profile("headway")

# The long groups, each of which stays on one worker: begun first, so that no worker waits for the other at the end.
LONGEST_FIRST = ("taskmanager", "end-to-end", "docker-target", "chaos", "prefect")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that take longest."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    mark = item.get_closest_marker("xdist_group")
    group = mark.args[0] if mark and mark.args else ""
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)
