import base64
import re
import secrets
import socket
from contextlib import closing, contextmanager

import httpx
import pytest
from docker.errors import APIError, NotFound

from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.environment import open_docker
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.pushing import push
from delivery.docker.images.registry import ensure_registry, stop_registry
from delivery.docker.images.registry_state import look_at_registry, registry_key
from delivery.errors import Rejected, Transient
from delivery.home import Home
from delivery.platform.duties import registry_is_missing, restore_registry
from delivery.ports.settings import EnvironmentSettings
from delivery.releases.release import Release
from tests.delivery.values import make_app, make_release
from tests.places.images import make_image
from tests.support.platforms import free_port, remove_platform

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
    for things, how in ((client.containers, {"force": True}), (client.volumes, {"force": True}), (client.networks, {})):
        try:
            things.get(name).remove(**how)
        except NotFound:
            continue


@pytest.fixture
def taken_port():
    """A port of the machine that another program has."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@contextmanager
def lost_port(home):
    """Yield the port that the registry of `home` had, and that another program took while it stood still."""
    port = int(ensure_registry(home, preferred_port=free_port()).address.rpartition(":")[2])
    stop_registry(home)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield port


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
    image = resolve_base("busybox", home=home).used
    known = base64.b64encode(registry_key(home).get_secret_value().encode()).decode()

    said = connect().containers.run(
        image,
        [
            "wget",
            "-q",
            "-O",
            "-",
            "--header",
            f"Authorization: Basic {known}",
            f"http://{registry.address}/v2/_catalog",
        ],
        network_mode=f"container:{registry.container}",
        remove=True,
    )

    assert said == b'{"repositories":[]}\n'


def refused(action):
    """Return the engine's words when it may not do that."""
    try:
        said = " ".join(event["error"] for event in action() if "error" in event)
    except APIError as error:
        said = str(error)
    assert said
    return said


@pytest.mark.parametrize("login", [None, {"username": "headway", "password": "guessed"}], ids=["none", "guessed"])
def test_nobody_without_the_key_pushes_pulls_lists_or_deletes(home, login):
    registry, client = ensure_registry(home, preferred_port=free_port()), connect()
    image, repository = client.images.get(resolve_base("busybox", home=home).used), f"{registry.address}/shop/web"
    ref = push(image, repository, "1", home)
    auth = (login["username"], login["password"]) if login else None
    options = {"stream": True, "decode": True, "auth_config": login or {}}

    said = [
        refused(lambda: client.api.push(repository, tag="1", **options)),
        refused(lambda: client.api.pull(repository, tag="1", **options)),
    ]
    with httpx.Client(base_url=f"http://{registry.address}", auth=auth) as other:
        answers = [
            other.get("/v2/_catalog"),
            other.get("/v2/shop/web/manifests/1"),
            other.delete(f"/v2/shop/web/manifests/{ref.digest}"),
            other.post("/v2/shop/web/blobs/uploads/"),
        ]
    client.images.remove(f"{repository}:1")

    assert ["401" in words or "no basic auth" in words or "authentication required" in words for words in said] == [
        True,
        True,
    ], said
    assert {answer.status_code for answer in answers} == {401}
    assert resolve_base(f"{repository}@{ref.digest}", home=home).used == f"{repository}@{ref.digest}"
    client.images.remove(f"{repository}@{ref.digest}", force=True)


def test_a_registry_that_asks_for_nothing_or_for_a_key_that_was_lost_is_made_anew_where_it_was(home):
    registry, client = ensure_registry(home, preferred_port=free_port()), connect()
    name = f"{registry.address}/thing-{secrets.token_hex(3)}"
    ref = push(client.images.get(resolve_base("busybox", home=home).used), name, "1", home)
    client.images.remove(f"{name}:1")
    home.registry_key.unlink()

    again = ensure_registry(home)

    assert again == registry
    assert resolve_base(f"{name}@{ref.digest}", home=home).used == f"{name}@{ref.digest}"
    client.images.remove(f"{name}@{ref.digest}", force=True)


def test_the_key_is_its_owners_alone_and_in_no_argument(home):
    container = connect().containers.get(ensure_registry(home, preferred_port=free_port()).container)

    _, _, password = registry_key(home).get_secret_value().partition(":")

    assert home.registry_key.stat().st_mode & 0o777 == 0o600
    assert len(password) >= 40
    assert password not in str(container.attrs) + container.logs().decode()


def test_images_and_the_address_survive_a_stop(home):
    registry = ensure_registry(home, preferred_port=free_port())
    name = f"{registry.address}/thing-{secrets.token_hex(3)}:1"
    client = connect()
    client.images.get(resolve_base("busybox", home=home).used).tag(name)
    pushed = push(client.images.get(name), name.rpartition(":")[0], "1", home)
    client.images.remove(name)
    stopped = stop_registry(home), stop_registry(home)

    again = ensure_registry(home)
    pulled = resolve_base(name, home=home)
    client.images.remove(name)

    assert pushed.digest.startswith("sha256:")
    assert stopped == (True, False)
    assert again == registry
    assert (pulled.used, pulled.substitute) == (name, False)


@pytest.mark.long
def test_a_port_that_is_taken_is_avoided(home, taken_port):
    registry = ensure_registry(home, preferred_port=taken_port)

    assert registry.address != f"127.0.0.1:{taken_port}"
    assert ensure_registry(home, preferred_port=taken_port) == registry


@pytest.mark.long
def test_it_moves_when_its_port_was_taken_while_it_stood_still(home):
    with lost_port(home) as port:
        moved = ensure_registry(home, preferred_port=port)

    assert moved.address != f"127.0.0.1:{port}"


@pytest.mark.long
def test_an_image_that_does_not_start_says_why(home, monkeypatch):
    monkeypatch.setattr("delivery.docker.images.registry.IMAGE", "haproxy:2.6")

    with pytest.raises(Rejected, match=r"does not answer(.|\n)*haproxy.cfg"):
        ensure_registry(home, preferred_port=free_port())


def test_stopping_what_was_never_started_does_nothing(home):
    assert stop_registry(home) is False


def lost_and_found(home, port=None):
    """Return what is seen of the registry, and what the platform's `up` makes of it."""
    seen = look_at_registry(home)
    return seen, ensure_registry(home, preferred_port=port or free_port())


def test_a_registry_that_was_stopped_or_removed_is_noticed_and_comes_back_where_it_was(home):
    registry = ensure_registry(home, preferred_port=free_port())
    container = connect().containers.get(registry.container)

    well = look_at_registry(home)
    container.stop(timeout=1)
    stopped, started = lost_and_found(home)
    connect().containers.get(registry.container).remove(force=True)
    removed, made = lost_and_found(home)

    assert (well.address, well.problem) == (registry.address, "")
    assert stopped.problem.startswith("its container is exited")
    assert removed.problem == "its container was removed"
    assert {stopped.next_step, removed.next_step} == {"headway up starts it again, with the images it has"}
    assert (started, made) == (registry, registry)


def test_a_registry_that_hangs_is_noticed_and_restarted(home, monkeypatch):
    monkeypatch.setattr("delivery.docker.images.registry.HUNG_SECONDS", 0.1)
    monkeypatch.setattr("delivery.docker.images.registry_state.PROBE_SECONDS", 1)
    registry = ensure_registry(home, preferred_port=free_port())
    container = connect().containers.get(registry.container)
    container.kill("SIGSTOP")

    hanging, again = lost_and_found(home)
    connect().containers.get(registry.container).pause()
    paused, unpaused = lost_and_found(home)
    monkeypatch.setattr("delivery.docker.images.registry_state.PROBE_SECONDS", 60)  # a busy machine takes its time

    assert hanging.problem == "it does not answer within 1 s"
    assert paused.problem == "its container is paused"
    assert (again, unpaused) == (registry, registry)
    assert look_at_registry(home).problem == ""


@pytest.mark.long
def test_a_registry_that_answers_500_is_noticed(home):
    registry = ensure_registry(home, preferred_port=free_port())
    container = connect().containers.get(registry.container)
    wget = "#!/bin/sh\necho 'wget: server returned error: HTTP/1.1 500 Internal Server Error' >&2; exit 1\n"
    container.put_archive("/", packed("usr/bin/wget", wget.encode(), 0o755))

    assert "500 Internal Server Error" in look_at_registry(home).problem


@pytest.mark.long
def test_images_that_went_with_the_volume_are_told_and_the_address_stays(home):
    registry = ensure_registry(home, preferred_port=free_port())
    connect().containers.get(registry.container).remove(force=True)
    connect().volumes.get(registry.container).remove(force=True)

    seen, again = lost_and_found(home)

    assert seen.problem == "its container was removed, and the volume with all its images"
    assert again.address == registry.address
    assert "images are gone, with its volume: headway run builds and pushes it again" in again.news[0]


def test_a_port_that_somebody_else_took_is_told_and_only_up_moves_the_registry(home):
    with lost_port(home) as port:
        with pytest.raises(Rejected, match=rf"does not start on port {port}, which \S+ \(process \d+\) has") as told:
            ensure_registry(home, may_move=False)
        moved = ensure_registry(home)

    assert "next: end that program; or headway up" in str(told.value)
    assert f"the registry is at {moved.address} now, for" in moved.news[0]
    assert moved.news[0].endswith(f"has port {port}; with the images of all releases that it had")


@pytest.mark.long
def test_a_release_kept_with_the_old_port_runs_from_where_the_registry_moved_to(home):
    old = ensure_registry(home, preferred_port=free_port()).address
    web = make_image(old, home, "good", 1)
    kept = {"web": {"repository": f"{old}/{web.repository}", "digest": web.digest}}
    release = Release.model_validate(make_release(1).model_dump() | {"images": kept})
    connect().images.remove(f"{old}/{web}", force=True)
    with lost_port(home):
        moved = ensure_registry(home).address
    app = make_app(environments={"production": {}})
    settings, environment = EnvironmentSettings(app="shop", environment="production"), app.environments["production"]

    with closing(open_docker(app, environment, settings, sequence=1, home=home).target) as target:
        staged = target.stage(app, release)
        seen = target.observe().slots
    remove_platform(home)
    connect().images.remove(f"{moved}/{web}", force=True)

    assert moved != old
    assert staged.healthy
    assert [slot.release for slot in seen if slot.release] == [release]


@pytest.mark.long
def test_a_push_to_a_dead_registry_says_so_and_starts_it_for_the_next_attempt(home):
    registry = ensure_registry(home, preferred_port=free_port())
    image = connect().images.get(resolve_base("busybox", home=home).used)
    repository = f"{registry.address}/thing-{secrets.token_hex(3)}"
    connect().containers.get(registry.container).remove(force=True)

    with pytest.raises(Transient) as told:
        push(image, repository, "1", home)
    ref = push(image, repository, "1", home)
    connect().images.remove(f"{repository}:1")

    assert "its container was removed\n  next: headway up starts it again" in str(told.value)
    assert f"{registry.address}/{ref.repository}" == repository


@pytest.mark.long
def test_an_image_that_the_registry_lost_is_no_base_image_that_cannot_be_had(home, monkeypatch):
    monkeypatch.setenv("HEADWAY_HOME", str(home.root))
    registry = ensure_registry(home, preferred_port=free_port())
    lost = f"{registry.address}/shop/web@sha256:{'0' * 64}"

    with pytest.raises(Rejected, match="does not have it any more\n  next: headway run builds and pushes it again"):
        resolve_base(lost, home=home)
    connect().containers.get(registry.container).stop(timeout=1)
    with pytest.raises(Transient, match=r"its container is exited(.|\n)*next: headway up"):
        resolve_base(lost, home=home)


def test_the_keeper_brings_a_dead_registry_back_and_says_what_was_wrong(home):
    never = registry_is_missing(home)
    registry = ensure_registry(home, preferred_port=free_port())
    well = registry_is_missing(home)
    connect().containers.get(registry.container).remove(force=True)

    missing = registry_is_missing(home)
    said = restore_registry(home)

    assert (never, well, missing, registry_is_missing(home)) == (False, False, True, False)
    assert said == "its container was removed: started again"
    assert ensure_registry(home) == registry


def test_neither_a_build_step_nor_a_container_beside_it_reaches_the_registry(home, tmp_path):
    """Also when it was there before, on the bridge that all containers share."""
    client, port = connect(), free_port()
    name = ensure_registry(home, preferred_port=port).container
    ask = (
        f"for at in $AT; do timeout 1 wget -O /dev/null http://$at:{port}/v2/ 2>&1 | grep -q ' 401 ' "
        "&& echo reached $at; done; echo asked"
    )
    image = resolve_base("busybox:1.36", home=home).used

    def asked() -> list[str]:
        places = client.containers.get(name).attrs["NetworkSettings"]["Networks"].values()
        at = " ".join(place["IPAddress"] for place in places) + " 127.0.0.1 172.17.0.1"
        beside = client.containers.run(image, ["sh", "-c", ask], environment={"AT": at}, remove=True)
        (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN AT='{at}'; {ask}\n")
        made, log = client.images.build(path=str(tmp_path), nocache=True, rm=True)
        built = "".join(line.get("stream", "") for line in log)
        client.images.remove(str(made.id), force=True)
        said = re.compile(r"^(?:\x1b\[0m)*(reached|asked)", re.MULTILINE)
        return [found for text in (beside.decode(), built) for found in said.findall(text)]

    assert asked() == ["asked", "asked"]

    client.networks.get(name).disconnect(name)
    client.networks.get("bridge").connect(name)
    assert asked() == ["reached", "asked", "reached", "asked"]
    ensure_registry(home)
    assert asked() == ["asked", "asked"]
