"""Releases on the engine of another machine: it reaches neither this one's registry nor its loopback."""

import gc
import os
import secrets
from contextlib import ExitStack, closing, contextmanager

import httpx
import psutil
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from delivery.changes.ledger import LABEL_APP, environment_labels
from delivery.docker.engine.client import connect, disconnect
from delivery.docker.engine.hosts import known_hosts, remember_host
from delivery.docker.environment import open_docker
from delivery.docker.images.carrying import PREFIX, carried_digests
from delivery.docker.images.registry_state import own_registry
from delivery.docker.services import DockerInventory, DockerOrphans
from delivery.docker.target.instances import list_instances
from delivery.errors import Misconfigured, Transient
from delivery.platform.shutdown import find_losses, purge_platform
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from tests.end_to_end.load import load_on
from tests.places.contract import Live, TargetContract
from tests.places.images import pushed_images, releases_of
from tests.support.engines import ENGINE_PORT, other_machine
from tests.support.platforms import free_port, new_home, own_platform
from tests.support.ssh_server import ssh_server

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
    return app_at(f"tcp://{machine}:{ENGINE_PORT}", machine)


def app_at(host, bind):
    web = {"port": 8000, "health": "/healthz", "version": "/version", "stop_seconds": 2, "start_seconds": 30}
    environments = {"production": {"target": {"host": host, "bind": bind}}}
    return App.model_validate(
        {"app": "shop", "images": {"web": {}}, "services": {"web": web}, "environments": environments}
    )


@pytest.fixture(scope="module")
def by_ssh(machine, tmp_path_factory):
    """The address of that engine's socket by ssh, and the `PATH` with an ssh that is let in there."""
    with ssh_server(tmp_path_factory.mktemp("ssh"), machine) as programs:
        engine = connect(f"tcp://{machine}:{ENGINE_PORT}").info()["DockerRootDir"].removesuffix("/data")
        yield f"ssh://root@{machine}{engine}/engine.sock", f"{programs}:{os.environ['PATH']}"


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


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_purge_takes_what_is_there_and_a_machine_that_is_away_is_named(app, live, tmp_path):
    """Of two platforms with things there, one is purged; it also knows a machine that nobody reaches."""
    host, nowhere = app.environments["production"].target.host, f"tcp://127.0.0.1:{free_port()}"
    client, purged = connect(host), new_home(tmp_path / "purged")
    carried = client.images.list(f"{PREFIX}/*/*")[0]
    carried.tag(f"{PREFIX}/bank/web:{'0' * 64}-{carried.id.partition(':')[2][:32]}")
    labels = environment_labels(purged.identity, "bank", "production", "database")
    client.volumes.create(f"headway-{purged.identity}-bank-production-database", labels=labels)
    client.containers.create(carried.id, labels=labels, name=f"headway-{purged.identity}-bank-production-db")
    for one in (host, nowhere):
        remember_host(purged, one)

    losses = find_losses(purged)
    removed = purge_platform(purged)

    assert [(one.host, one.app, one.keeps) for one in losses.volumes] == [(host, "bank", "the database")]
    assert losses.unreached == (nowhere,)
    assert f"environment production of bank at {host}" in removed
    assert things_at(host, "bank") == set()
    assert client.images.list(f"{PREFIX}/bank/*") == []
    assert things_at(host, live.settings.app) != set()
    gc.collect()


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


def within(target, verb):
    """Do as a step does, which tries again what may heal by itself."""
    with target.guarded():
        return verb()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning", "ignore:Exception ignored in. <socket")
def test_by_ssh_a_release_goes_live_there_also_when_the_way_breaks_in_between(
    home, machine, by_ssh, live, release, monkeypatch
):
    host, path = by_ssh
    monkeypatch.setenv("PATH", path)
    far, second, lease = app_at(host, machine), release(2), live.target(2)
    place = open_docker(far, far.environments["production"], live.settings, sequence=lease.sequence, home=home)
    url = lease.observe().url
    with closing(place.target) as target, load_on(url, path="/", post=False) as counts:
        target.stage(far, second)
        [way] = [one for one in psutil.Process().children() if one.name() == "ssh"]
        way.kill()
        way.wait()
        again = Retrying(retry=retry_if_exception_type(Transient), stop=stop_after_delay(60), wait=wait_fixed(0.1))
        said = again(lambda: within(target, lambda: target.shift(second, 100))).live.release, httpx.get(url).text
        target.withdraw(second)

    assert said == (second, "2")
    assert counts.failures == []
    assert host in known_hosts(home)
    gc.collect()


def test_a_machine_that_lets_nobody_in_says_why_and_how_to_try(by_ssh, monkeypatch):
    host, path = by_ssh
    monkeypatch.setenv("PATH", path)

    with pytest.raises(Misconfigured) as told:
        connect(host.replace("root@", "nobody@"), patience_seconds=0)

    assert "Permission denied" in str(told.value)
    assert f"docker -H {host.replace('root@', 'nobody@')} ps" in str(told.value)


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
