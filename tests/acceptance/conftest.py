"""Long tests: `make acceptance` runs them, `make test` does not."""

from pathlib import Path

import pytest

collect_ignore = ["applications"]  # they are delivered, and bring tests of their own
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.long)
