"""Every damaged copy is found, one damage at a time: nothing else tells of it."""

import pytest

from delivery.docker.images.bases import resolve_base
from delivery.ports.backups import compare, differs_in_definitions
from delivery.spec.database import ContainerDatabase
from tests.support.backups import DAMAGES, NAMES, OWN_DAMAGES, two_servers
from tests.support.platforms import own_platform

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        with two_servers(home, resolve_base(ContainerDatabase().image, home=home).used) as backups:
            yield backups


@pytest.mark.parametrize("case", NAMES)
def test_each_of_many_damaged_copies_is_told_and_nothing_else_of_it(servers, case):
    before = servers.begin(case)
    rewritten = servers.rewrite() if differs_in_definitions(before, servers.restore()) else ()

    for damage, words in (DAMAGES | OWN_DAMAGES[case]).items():
        servers.restore()
        servers.sql(servers.copy, damage)
        told = compare(before, servers.look(), rewritten)
        assert any(line.startswith(words) for line in told), f"{damage}: {told}"
        assert len(told) <= 2, f"{damage}: {told}"
