"""One wheel and one installation of it for all of these tests."""

from pathlib import Path

import pytest

from tests.support.wheels import Tool, build_wheel, install_tool


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what is tracked."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def tool(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """That wheel, installed in an empty environment outside of the checkout."""
    return install_tool(wheel, tmp_path_factory.mktemp("tool"))
