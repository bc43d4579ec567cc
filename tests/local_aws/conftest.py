"""What tests of the local AWS share: to start it costs more than most of them."""

import pytest

from tests.support.ecs import HELD, Tasks
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform


@pytest.fixture(scope="session")
def held(tmp_path_factory):
    """A local AWS in which tasks are written down, and nobody starts them: it needs no Docker."""
    with local_aws(tmp_path_factory.mktemp("aws")) as server:
        server.put_faults(HELD)
        yield Tasks(server).ready()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """A local AWS in which tasks run on Docker."""
    with own_platform(tmp_path_factory.mktemp("ecs") / "home") as home, local_aws(home.root) as server:
        yield Tasks(server).ready()
