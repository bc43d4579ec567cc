from itertools import count

import pytest

from delivery.memory import behaviour
from delivery.memory.services import MemoryPlatform, RunsThing
from delivery.memory.target import MemoryHost
from delivery.ports.settings import EnvironmentSettings
from tests.delivery.values import make_app, make_release
from tests.places.services_contract import InventoryContract, OrphansContract, PublishContract, TestbedsContract


@pytest.fixture
def platform(monkeypatch):
    monkeypatch.setattr(behaviour, "_STATES", {})
    return MemoryPlatform()


@pytest.fixture
def services(platform):
    return platform.services()


@pytest.fixture
def run_made(platform):
    numbers = count()

    def make(run, is_new=False, expired=False):
        thing = RunsThing(f"thing-{next(numbers)}", run, is_new=is_new, expired=expired)
        platform.things.append(thing)
        return thing.name

    return make


@pytest.fixture
def environment_has(platform):
    def stage(app, environment):
        MemoryHost(EnvironmentSettings(app=app, environment=environment), 1).stage(
            make_app(app=app), make_release(1, app=app)
        )

    return stage


class TestOrphansInMemory(OrphansContract):
    """The whole contract in this process."""


class TestInventoryInMemory(InventoryContract):
    """The whole contract in this process."""


class TestPublishingInMemory(PublishContract):
    """The whole contract in this process."""


class TestTestbedsInMemory(TestbedsContract):
    """The whole contract in this process."""

    __test__ = True

    @pytest.fixture
    def suites(self, platform):
        platform.outcomes["bad"] = "failed"
        return make_app(suites={"good": {"image": "web"}, "bad": {"image": "web"}})
