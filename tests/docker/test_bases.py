import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from delivery.docker.engine.client import connect
from delivery.docker.images import base_build, bases, stand_ins
from delivery.docker.images.bases import find_base, find_bases, resolve_base
from delivery.docker.images.stand_ins import Recipe, stand_in_for
from delivery.errors import CommandFailed, Misconfigured, Transient
from delivery.home import Home
from tests.docker.recipes import copied_recipes

docker = pytest.mark.docker
HOME = Home.current()  # with the downloads of earlier runs


@docker
def test_a_mapped_image_is_used_without_looking_further():
    stand_in = resolve_base("busybox", home=HOME).used

    found = resolve_base("corp/unknown:1", home=HOME, substitutes={"corp/unknown:1": stand_in})

    assert (found.asked, found.used, found.substitute) == ("corp/unknown:1", stand_in, False)


@docker
def test_an_image_the_engine_has_is_used_as_it_is():
    name = f"headway-test/{secrets.token_hex(4)}:1"
    client = connect()
    client.images.get(resolve_base("busybox", home=HOME).used).tag(name)
    try:
        found = resolve_base(name, home=HOME)
    finally:
        client.images.remove(name)

    assert (found.asked, found.used, found.substitute) == (name, name, False)


@docker
def test_an_unknown_image_names_what_was_tried_and_the_next_step():
    with pytest.raises(Misconfigured) as caught:
        resolve_base("headway-nobody/ruby:9.9", home=HOME)

    assert caught.value.where == "base image headway-nobody/ruby:9.9"
    assert "not on the Docker engine; pull: " in caught.value.found
    assert "no recipe for a stand-in" in caught.value.found
    assert "`bases:` in headway.yaml" in caught.value.next_step


@docker
def test_a_name_docker_does_not_accept_is_misconfigured():
    with pytest.raises(Misconfigured, match="invalid reference format"):
        resolve_base("Not An Image", home=HOME)


@pytest.fixture
def silent_registry():
    """A registry that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.setblocking(False)
        yield listener


@docker
def test_a_registry_that_says_nothing_is_given_up_and_left_alone_for_a_while(silent_registry, tmp_path, monkeypatch):
    monkeypatch.setattr(bases, "build_base", lambda recipe, tag, cache, host, below: tag)
    asked = f"127.0.0.1:{silent_registry.getsockname()[1]}/library/busybox:latest"

    first = resolve_base(asked, home=Home(tmp_path), silence_seconds=1)
    _connections(silent_registry)
    again = resolve_base(asked, home=Home(tmp_path), silence_seconds=1)

    assert first == again
    assert first.substitute
    assert _connections(silent_registry) == 0


@docker
def test_silence_without_a_stand_in_is_reported(silent_registry, tmp_path):
    asked = f"127.0.0.1:{silent_registry.getsockname()[1]}/team/thing:1"

    with pytest.raises(Misconfigured, match="said nothing for 1 s; stand-in: there is no recipe"):
        resolve_base(asked, home=Home(tmp_path), silence_seconds=1)


@docker
def test_a_stand_in_that_cannot_be_built_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", copied_recipes(tmp_path))

    def no_network(*_: object, **__: object) -> str:
        raise CommandFailed(["apt-get", "update"], 100, "Err:1\nE: Temporary failure resolving 'mirror'")

    monkeypatch.setattr(bases, "build_base", no_network)

    with pytest.raises(Misconfigured, match="could not be built: E: Temporary failure resolving 'mirror'"):
        resolve_base("busybox", home=Home(tmp_path))


@docker
def test_a_machine_without_apt_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", copied_recipes(tmp_path))
    monkeypatch.setattr(base_build.shutil, "which", lambda name: None)

    for asked in ("busybox", "debian:bookworm-slim"):
        with pytest.raises(Misconfigured, match=r"this machine: has no apt-get.*; allowed: Debian or Ubuntu"):
            resolve_base(asked, home=Home(tmp_path))


@pytest.mark.long
@docker
def test_a_stand_in_is_built_whatever_lies_in_the_users_folder(tmp_path, monkeypatch):
    shop = tmp_path / "shop"
    shop.mkdir()
    for name in ("queue", "secrets", "shutil"):
        (shop / f"{name}.py").write_text("raise SystemExit('the shop has its own')\n")
    monkeypatch.chdir(shop)
    folder = tmp_path / "bases" / "mini"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL made.by=zipfile\n")
    recipe = Recipe(folder=folder, repositories=("mini",), provides=None, making="bare")
    fetch, make = 'exec "$PYTHON" -m zipfile --help', 'cp -R "$(dirname "$0")/$1" "$2/image"'
    recipe.script.write_text(f'[ "$4" = make ] || {fetch}\n{make}\n')
    tag = f"headway-test/{secrets.token_hex(4)}:1"
    try:
        base_build.build_base(recipe, tag, tmp_path / "cache")
        labels = connect().images.get(tag).labels
    finally:
        connect().images.remove(tag)

    assert labels["made.by"] == "zipfile"


@docker
@pytest.mark.long
def test_many_callers_at_once_build_a_stand_in_once(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", copied_recipes(tmp_path))
    built: list[str] = []

    def counted(recipe, tag, cache, host, below):
        built.append(recipe.kind)
        return base_build.build_base(recipe, tag, HOME.cache, host, below=below)

    monkeypatch.setattr(bases, "build_base", counted)
    tag = stand_in_for("busybox").tag("")
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(
                pool.map(lambda asked: resolve_base(asked, home=Home(tmp_path)), ["busybox", "busybox:1.36"] * 2)
            )
        labels = connect().images.get(tag).labels
    finally:
        connect().images.remove(tag)

    assert {base.used for base in found} == {tag}
    assert built == ["busybox"]
    assert labels == {"headway.base": "busybox"}
    assert not list((HOME.cache / "building").glob(f"*{tag.rpartition(':')[2]}"))


@docker
def test_an_engine_that_stops_answering_is_transient(tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise requests.exceptions.ConnectionError("Connection refused")

    monkeypatch.setattr(bases, "_is_present", stopped)

    with pytest.raises(Transient, match="the Docker engine stopped answering"):
        resolve_base("busybox:1.36", home=Home(tmp_path))


@docker
def test_forbidden_stand_ins_are_named_with_the_key_that_forbids_them(tmp_path):
    with pytest.raises(Misconfigured) as caught:
        resolve_base("busybox:1.36.9", home=Home(tmp_path), stand_ins="never")

    assert "stand-in: forbidden by `stand_ins: never` in headway.yaml" in caught.value.found
    assert "docker load" in caught.value.next_step


@docker
def test_a_machine_forbids_stand_ins_whatever_the_file_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADWAY_STAND_INS", "never")

    with pytest.raises(Misconfigured, match="forbidden by HEADWAY_STAND_INS=never on this machine"):
        resolve_base("busybox:1.36.9", home=Home(tmp_path), stand_ins="always")


@docker
def test_forbidden_stand_ins_leave_an_image_that_is_there(own_image):
    found = resolve_base(own_image, home=HOME, stand_ins="never")

    assert (found.used, found.substitute) == (own_image, False)


@docker
def test_asked_for_stand_ins_are_used_although_the_image_is_there(own_image):
    found = resolve_base(own_image, home=HOME, stand_ins="always")

    assert found.substitute
    assert found.used == stand_in_for("busybox").tag("")


@docker
def test_an_image_without_a_recipe_is_used_as_ever_when_stand_ins_are_asked_for():
    name = f"headway-test/{secrets.token_hex(4)}:1"
    client = connect()
    client.images.get(resolve_base("busybox", home=HOME).used).tag(name)
    try:
        assert resolve_base(name, home=HOME, stand_ins="always").used == name
    finally:
        client.images.remove(name)


@docker
def test_an_image_for_another_machine_is_no_answer(own_image):
    with pytest.raises(Misconfigured, match="a stand-in would be for linux/"):
        find_base(own_image, home=HOME, on_platform="linux/riscv64")


@docker
def test_every_image_that_cannot_be_had_is_told_before_a_stand_in_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", copied_recipes(tmp_path))
    monkeypatch.setattr(bases, "build_base", lambda *_, **__: pytest.fail("a stand-in was built"))

    found, missing = find_bases(
        ["busybox:1.36", "headway-nobody/a:1", "python:2.7", "busybox:1.36"], home=Home(tmp_path)
    )

    assert [base.asked for base in found] == ["busybox:1.36"]
    assert [error.where for error in missing] == ["base image headway-nobody/a:1", "base image python:2.7"]
    assert "a stand-in would be python 3.11, not 2.7" in missing[1].found


@docker
def test_a_mapped_image_that_cannot_be_had_is_told_before_anything_is_built():
    _, missing = find_bases(["corp/web:1"], home=HOME, substitutes={"corp/web:1": "headway-nobody/a:1"})

    assert missing[0].where == "base image headway-nobody/a:1"


@docker
def test_a_stand_in_is_warned_of_once(caplog):
    bases._warn.cache_clear()

    for _ in range(3):
        resolve_base("alpine:3.19.9", home=HOME)

    told = [record.getMessage() for record in caplog.records if record.name == "headway.builder"]
    assert [line for line in told if line.startswith("alpine:3.19.9: a stand-in")] == told
    assert len(told) == 1
    assert "it lacks apk and musl" in told[0]


@pytest.fixture
def own_image():
    """An image on the engine under a name that a stand-in could be made for."""
    name = f"localhost:1/{secrets.token_hex(4)}/library/busybox:1.36"
    client = connect()
    client.images.get(resolve_base("busybox", home=HOME).used).tag(name)
    yield name
    client.images.remove(name)


def _connections(listener: socket.socket) -> int:
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1
