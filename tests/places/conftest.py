"""Which tests of a contract take long on a place: its class says so in `long_here`."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.local_aws import Server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The home of a platform of the module's own, with its identity."""
    from tests.support.platforms import own_platform  # the fast tests need no Docker

    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        assert home.identity
        yield home


@pytest.fixture
def bucket(aws: Server) -> str:
    """A bucket of the test's own."""
    name = f"test-{uuid4().hex}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(item, "originalname", "") in getattr(getattr(item, "cls", None), "long_here", ()):
            item.add_marker(pytest.mark.long)
