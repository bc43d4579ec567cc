import pytest

from delivery.memory.behaviour import Behaviour, memory_state
from delivery.memory.target import MemoryHost
from delivery.ports.settings import EnvironmentSettings
from tests.delivery.values import make_app, make_release
from tests.places.contract import WATCH, Live, TargetContract


class TestMemory(TargetContract):
    def serve_something_else(self, live, release):
        behaviour = memory_state(live.settings.app, live.settings.environment).behaviour
        behaviour.serves_another_version.add(release.fingerprint)

    @pytest.fixture
    def settings(self, request):
        return EnvironmentSettings(app="shop", environment=request.node.name)

    @pytest.fixture
    def app(self):
        return make_app()

    @pytest.fixture
    def target(self, settings):
        return lambda sequence: MemoryHost(settings, sequence)

    @pytest.fixture
    def live(self, app, settings, target, release):
        self.put_live(app, target, release(1))
        return Live(settings, release(1), target)

    @pytest.fixture
    def behaviour(self, settings) -> Behaviour:
        return memory_state(settings.app, settings.environment).behaviour

    @pytest.fixture
    def release(self, behaviour):
        def make(number, never_healthy=False, lies=False, fails_when_live=False, silent=False):
            made = make_release(number)
            if silent:
                behaviour.silent.add(made.fingerprint)
            if never_healthy:
                behaviour.never_healthy.add(made.fingerprint)
            if lies:
                behaviour.serves_another_version.add(made.fingerprint)
            if fails_when_live:
                behaviour.error_percent[made.fingerprint] = 50
            return made

        return make

    def test_too_few_requests_tell_nothing(self, app, target, release, behaviour):
        first = release(1)
        self.put_live(app, target, first)
        behaviour.requests = 5

        assert target(2).watch(first, WATCH, 1).verdict == "inconclusive"
