"""Releases on the engine of another machine: it reaches neither this one's registry nor its loopback."""

import gc
import secrets
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest

from delivery.changes.ledger import LABEL_APP
from delivery.docker.engine.client import connect, disconnect
from delivery.docker.engine.hosts import known_hosts
from delivery.docker.environment import open_docker
from delivery.docker.images.carrying import PREFIX, carried_digests
from delivery.docker.images.registry_state import own_registry
from delivery.docker.services import DockerInventory, DockerOrphans
from delivery.docker.target.instances import list_instances
from delivery.errors import Misconfigured
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.end_to_end.load import load_on
from tests.places.contract import Live, TargetContract
from tests.places.images import pushed_images, releases_of
from tests.support.engines import ENGINE_PORT, other_machine
from tests.support.platforms import free_port, own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("remote-host")]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with other_machine(tmp_path_factory.mktemp("machine")) as address:
        yield address
        disconnect()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture(scope="module")
def image(home):
    with pushed_images(home) as get:
        yield get


@pytest.fixture(scope="module")
def release(image):
    return releases_of(image)


@pytest.fixture(scope="module")
def app(machine):
    web = {"port": 8000, "health": "/healthz", "version": "/version", "stop_seconds": 2, "start_seconds": 30}
    target = {"host": f"tcp://{machine}:{ENGINE_PORT}", "bind": machine}
    environments = {"production": {"target": target}}
    return App.model_validate(
        {"app": "shop", "images": {"web": {}}, "services": {"web": web}, "environments": environments}
    )


@contextmanager
def new_place(app, home):
    """Yield settings of a place that never had a release, and how to open its target; it is removed at the end."""
    settings = EnvironmentSettings(app=f"shop-{secrets.token_hex(3)}", environment="production")
    with ExitStack() as opened:

        def make(sequence):
            place = open_docker(app, app.environments["production"], settings, sequence=sequence, home=home)
            return opened.enter_context(closing(place.target))

        yield settings, make
        make(make(0).observe().sequence + 20).remove()


@pytest.fixture
def target(app, home):
    with new_place(app, home) as (_, make):
        yield make


@pytest.fixture(scope="module")
def settled(app, home, release):
    with new_place(app, home) as (settings, make):
        TargetContract().put_live(app, make, release(1))
        yield settings, make


@pytest.fixture
def live(settled, release):
    settings, make = settled
    lease = make(0).observe().sequence
    yield Live(settings, release(1), lambda sequence: make(lease + sequence))
    last = make(lease + 9)
    for slot in last.observe().slots:
        if slot.release not in (None, release(1)):
            last.withdraw(slot.release)


def things_at(host, app):
    client, label = connect(host), {"label": f"{LABEL_APP}={app}"}
    found = [
        *client.containers.list(all=True, filters=label, ignore_removed=True),
        *client.networks.list(filters=label),
    ]
    return {one.name for one in found}


def test_a_release_goes_live_there_and_back_and_nothing_of_it_is_on_this_machine(app, home, machine, live, release):
    host, second = app.environments["production"].target.host, release(2)
    live.target(2).stage(app, second)

    url = live.target(2).shift(second, 100).url
    with load_on(url, path="/", post=False) as counts:
        said = [httpx.get(url).text, live.target(2).withdraw(second).live and httpx.get(url).text]

    assert url.startswith(f"http://{machine}:")
    assert said == ["2", "1"]
    assert counts.failures == []
    assert things_at(host, live.settings.app)
    assert things_at(None, live.settings.app) == set()
    carried = {digest for one in connect(host).images.list(f"{PREFIX}/*/*") for digest in carried_digests(one)}
    assert {image.digest for image in second.images.values()} <= carried
    assert not connect().images.list(f"{PREFIX}/*/*")


def test_what_is_there_is_found_swept_and_removed_as_here(app, home, machine, live):
    host, registry = app.environments["production"].target.host, own_registry(home)
    client, labels = connect(host), {"headway.platform": home.identity, "headway.run": "run-of-the-dead"}
    image = client.images.list(f"{PREFIX}/*/*")[0]
    left = client.containers.create(image.id, labels=labels | {"headway.role": "cell"})

    assert known_hosts(home) == (None, host)
    assert DockerInventory(home, registry).environments(live.settings.app) == {"production"}
    assert "container" in {
        one.kind for one in DockerInventory(home, registry).belongings(live.settings.app, "production")
    }
    DockerOrphans(home).remove_run("run-of-the-dead")
    assert left.name not in {one.name for one in client.containers.list(all=True)}


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, after a refused connection
def test_a_machine_that_nobody_reaches_is_told_and_stops_no_sweep_of_others(home, monkeypatch, caplog):
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    monkeypatch.setattr("delivery.docker.engine.hosts.known_hosts", lambda _: (None, nowhere))
    monkeypatch.setattr("delivery.docker.engine.client.PATIENCE_SECONDS", 0)

    with pytest.raises(Misconfigured, match="no engine answers"):
        connect(nowhere, patience_seconds=0)
    DockerOrphans(home).remove_run("run-of-the-dead")

    assert f"the engine at {nowhere} was left out" in caplog.text
    gc.collect()


class TestRemoteHost(TargetContract):
    """The whole contract on the engine of another machine."""

    long_here = frozenset(name for name in dir(TargetContract) if name.startswith("test_"))

    def serve_something_else(self, live, release):
        [answer] = live.target(0).ask("/stray", release, "web")
        assert answer.status == 200

    def what_instances_may_use(self, live, release):
        target = live.target(0)
        found = [one for one in list_instances(target.client, target.names) if one.release == release]
        given = [one.container.attrs["HostConfig"] for one in found]
        return [(one["NanoCpus"] / 1e9 or None, one["Memory"] or None) for one in given]
