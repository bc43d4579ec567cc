"""Things on a real engine: volumes and networks, which are made and removed at once."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from delivery.changes.ledger import (
    LABEL_APP,
    LABEL_ENVIRONMENT,
    LABEL_EXPIRES,
    LABEL_PLATFORM,
    LABEL_ROLE,
    LABEL_RUN,
)
from delivery.docker.engine import sweep
from delivery.docker.engine.client import connect
from delivery.docker.images.registry import ensure_registry
from delivery.opening import open_services
from tests.delivery.values import make_app
from tests.places.services_contract import InventoryContract, OrphansContract, PublishContract, TestbedsContract
from tests.support.platforms import free_port, own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker-services")]
HOUR = timedelta(hours=1)
GOOD = 'echo "token $TOKEN"; echo \'<testsuite tests="1"><testcase name="adds up"/></testsuite>\' >/reports/a.xml'
BAD = (
    'echo \'<testsuite tests="1"><testcase name="adds up"><failure>2</failure></testcase></testsuite>\' >/reports/a.xml'
    "; exit 1"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture
def made(home):
    """How to make a volume or network with labels, all of which are gone at the end, and what the new ones are."""
    client, numbers, new = connect(), count(), set()
    kinds = (client.volumes, client.networks)

    def make(is_new=False, **labels):
        number = next(numbers)
        name = f"headway-{home.identity}-{number:03}"
        kinds[number % 2].create(name, labels={LABEL_PLATFORM: home.identity, LABEL_ROLE: "test"} | labels)
        new.update({name} if is_new else ())
        return name

    yield make, new
    for name, kind in ((f"headway-{home.identity}-{number:03}", kinds[number % 2]) for number in range(next(numbers))):
        for one in [found for found in kind.list(filters={"name": name}) if found.name == name]:
            one.remove()


@pytest.fixture
def services(home, made, monkeypatch):
    """The services an hour later: whatever is not new was made long enough ago."""
    _, new = made
    look = sweep.things

    def an_hour_later(client, labels):
        for kind, identity, name, labelled, created in look(client, labels):
            yield kind, identity, name, labelled, created if name in new else created - HOUR

    monkeypatch.setattr(sweep, "things", an_hour_later)
    monkeypatch.setattr(sweep, "PASSES_APART_SECONDS", 0.05)
    monkeypatch.setenv("HEADWAY_HOME", str(home.root))
    return open_services()


@pytest.fixture
def run_made(made):
    make, _ = made

    def make_of_a_run(run, is_new=False, expired=False):
        expires = {LABEL_EXPIRES: (datetime.now(UTC) - HOUR).isoformat()} if expired else {}
        return make(is_new, **{LABEL_RUN: run}, **expires)

    return make_of_a_run


@pytest.fixture
def environment_has(made):
    make, _ = made
    return lambda app, environment: make(**{LABEL_APP: app, LABEL_ENVIRONMENT: environment})


class TestOrphansOnAnEngine(OrphansContract):
    """The whole contract on a real engine."""


class TestInventoryOnAnEngine(InventoryContract):
    """The whole contract on a real engine."""


class TestPublishingOnAnEngine(PublishContract):
    """The whole contract on a real engine and its registry."""

    @pytest.fixture(autouse=True)
    def registry(self, home):
        ensure_registry(home, preferred_port=free_port())


class TestTestbedsOnAnEngine(TestbedsContract):
    """The whole contract on a real engine."""

    __test__ = True

    @pytest.fixture
    def suites(self):
        scripts = {"good": GOOD, "bad": BAD}
        runs = {"image": "busybox", "junit": "/reports/*.xml"}
        return make_app(suites={name: runs | {"command": ["sh", "-c", script]} for name, script in scripts.items()})
