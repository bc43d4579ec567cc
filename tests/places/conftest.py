"""Which tests of a contract take long on a place: its class says so in `long_here`."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(item, "originalname", "") in getattr(getattr(item, "cls", None), "long_here", ()):
            item.add_marker(pytest.mark.long)
