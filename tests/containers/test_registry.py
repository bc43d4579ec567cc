import secrets
import socket

import pytest
from docker.errors import NotFound

from delivery.containers.bases import resolve_base
from delivery.containers.client import connect
from delivery.containers.registry import ensure_registry, stop_registry
from delivery.errors import Rejected
from delivery.home import Home
from tests.support.platforms import free_port

pytestmark = pytest.mark.docker
CACHE = Home.current().cache


@pytest.fixture
def home(tmp_path):
    """A platform of its own; its registry and the registry's volume are removed at the end."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache").symlink_to(CACHE)
    CACHE.mkdir(parents=True, exist_ok=True)
    home = Home(tmp_path / "home")
    yield home
    client, name = connect(), f"headway-{home.identity}-registry"
    for things in (client.containers, client.volumes):
        try:
            things.get(name).remove(force=True)
        except NotFound:
            continue


@pytest.fixture
def taken_port():
    """A port of the machine that another program has."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_second_call_finds_the_same_registry(home):
    port = free_port()

    first = ensure_registry(home, preferred_port=port)
    second = ensure_registry(home, preferred_port=free_port())

    assert first == second
    assert first.address == f"127.0.0.1:{port}"


def test_everything_it_starts_is_on_the_ledger_and_only_on_loopback(home):
    registry = ensure_registry(home, preferred_port=free_port())

    container = connect().containers.get(registry.container)
    volume = connect().volumes.get(registry.container)

    owner = {"headway.platform": home.identity, "headway.role": "registry"}
    assert owner.items() <= container.labels.items()
    assert volume.attrs["Labels"] == owner
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    port = registry.address.removeprefix("127.0.0.1:")
    bindings = {"HostIp": "127.0.0.1", "HostPort": port}
    assert container.attrs["HostConfig"]["PortBindings"] == {f"{port}/tcp": [bindings]}


def test_a_container_in_its_network_reaches_it_under_the_same_address(home):
    registry = ensure_registry(home, preferred_port=free_port())
    image = resolve_base("busybox", cache=CACHE).used

    said = connect().containers.run(
        image,
        ["wget", "-q", "-O", "-", f"http://{registry.address}/v2/_catalog"],
        network_mode=f"container:{registry.container}",
        remove=True,
    )

    assert said == b'{"repositories":[]}\n'


def test_images_and_the_address_survive_a_stop(home, tmp_path):
    registry = ensure_registry(home, preferred_port=free_port())
    name = f"{registry.address}/thing-{secrets.token_hex(3)}:1"
    client = connect()
    client.images.get(resolve_base("busybox", cache=CACHE).used).tag(name)
    pushed = client.api.push(name)
    client.images.remove(name)
    stopped = stop_registry(home), stop_registry(home)

    again = ensure_registry(home)
    pulled = resolve_base(name, cache=tmp_path)
    client.images.remove(name)

    assert "digest: sha256:" in pushed
    assert stopped == (True, False)
    assert again == registry
    assert (pulled.used, pulled.substitute) == (name, False)


def test_a_port_that_is_taken_is_avoided(home, taken_port):
    registry = ensure_registry(home, preferred_port=taken_port)

    assert registry.address != f"127.0.0.1:{taken_port}"
    assert ensure_registry(home, preferred_port=taken_port) == registry


def test_it_moves_when_its_port_was_taken_while_it_stood_still(home):
    port = free_port()
    ensure_registry(home, preferred_port=port)
    stop_registry(home)

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = ensure_registry(home, preferred_port=port)

    assert moved.address != f"127.0.0.1:{port}"


def test_an_image_that_does_not_start_says_why(home, monkeypatch):
    monkeypatch.setattr("delivery.containers.registry.IMAGE", "haproxy:2.6")

    with pytest.raises(Rejected, match=r"does not answer(.|\n)*haproxy.cfg"):
        ensure_registry(home, preferred_port=free_port())


def test_stopping_what_was_never_started_does_nothing(home):
    assert stop_registry(home) is False
