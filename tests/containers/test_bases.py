import json
import secrets
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from delivery.containers import base_build, bases, stand_ins
from delivery.containers.bases import resolve_base
from delivery.containers.client import connect
from delivery.containers.stand_ins import RECIPES, recipes, split_reference, stand_in_for
from delivery.errors import CommandFailed, Misconfigured, Transient
from delivery.home import Home

docker = pytest.mark.docker
CACHE = Home.current().cache  # the downloads of earlier runs


@pytest.mark.parametrize(
    ("asked", "repository", "tag"),
    [
        ("node", "node", "latest"),
        ("library/node:22", "node", "22"),
        ("docker.io/library/node:22-alpine", "node", "22-alpine"),
        ("public.ecr.aws/docker/library/python:3.11", "python", "3.11"),
        ("harbor.example.org:8443/hub/library/nginx:1.22", "nginx", "1.22"),
        ("127.0.0.1:5000/node:22", "127.0.0.1:5000/node", "22"),
        ("example.org/team/node", "example.org/team/node", "latest"),
        ("nginxinc/nginx-unprivileged:1.22-alpine", "nginxinc/nginx-unprivileged", "1.22-alpine"),
    ],
)
def test_mirrors_of_official_images_are_seen_through(asked, repository, tag):
    assert split_reference(asked) == (repository, tag)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("node:22-alpine", "node"),
        ("node:22.20.0-bookworm-slim", "node"),
        ("node:lts-alpine3.20", "node"),
        ("python:3.11-slim", "python"),
        ("python:3", "python"),
        ("postgres:15-alpine", "postgres"),
        ("nginx:alpine", "nginx"),
        ("nginxinc/nginx-unprivileged:stable-alpine", "nginx-unprivileged"),
        ("haproxy:2.6", "haproxy"),
        ("registry:2", "registry"),
        ("ghcr.io/aquasecurity/trivy:0.76.0", "trivy"),
        ("zenika/alpine-chrome:with-node", "browser"),
        ("alpine:3.20", "busybox"),
        ("debian:bookworm-slim", "debian"),
        ("debian:12", "debian"),
    ],
)
def test_a_stand_in_is_found(asked, kind):
    assert stand_in_for(asked).kind == kind


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("python:3.12", "a stand-in would be python 3.11, not 3.12"),
        ("python:3.1", "not 3.1"),
        ("node:22.19", "not 22.19"),
        ("node:2", "not 2"),
        ("node:22-bullseye", "not 22-bullseye"),
        ("debian:latest", "not latest"),
        ("debian:trixie", "not trixie"),
        ("node:22@sha256:" + "0" * 64, "a digest names one image exactly"),
        ("ruby:3.3", "no recipe for a stand-in; allowed: stand-ins for "),
        ("example.org/team/node:22", "no recipe"),
    ],
)
def test_what_a_stand_in_cannot_honour_is_refused(asked, why):
    with pytest.raises(Misconfigured, match=why):
        stand_in_for(asked)


def test_every_download_from_pypi_is_pinned_by_hash():
    for requirements in RECIPES.glob("*/requirements.txt"):
        for line in requirements.read_text().splitlines():
            assert "==" in line
            assert "--hash=sha256:" in line


def test_another_recipe_has_another_tag(tmp_path):
    copied = _recipes_of_its_own(tmp_path)
    before = {recipe.kind: recipe.tag for recipe in recipes(copied)}

    (copied / "busybox" / "packages").write_text("netbase\n")
    after = {recipe.kind: recipe.tag for recipe in recipes(copied)}

    assert {kind for kind in before if before[kind] != after[kind]} == {"busybox"}


@docker
def test_a_mapped_image_is_used_without_looking_further():
    stand_in = resolve_base("busybox", cache=CACHE).used

    found = resolve_base("corp/unknown:1", cache=CACHE, substitutes={"corp/unknown:1": stand_in})

    assert (found.asked, found.used, found.substitute) == ("corp/unknown:1", stand_in, False)


@docker
def test_an_image_the_engine_has_is_used_as_it_is():
    name = f"headway-test/{secrets.token_hex(4)}:1"
    client = connect()
    client.images.get(resolve_base("busybox", cache=CACHE).used).tag(name)
    try:
        found = resolve_base(name, cache=CACHE)
    finally:
        client.images.remove(name)

    assert (found.asked, found.used, found.substitute) == (name, name, False)


@docker
def test_an_unknown_image_names_what_was_tried_and_the_next_step():
    with pytest.raises(Misconfigured) as caught:
        resolve_base("headway-nobody/ruby:9.9", cache=CACHE)

    assert caught.value.where == "base image headway-nobody/ruby:9.9"
    assert "not on the Docker engine; pull: " in caught.value.found
    assert "no recipe for a stand-in" in caught.value.found
    assert "`bases:` in headway.yaml" in caught.value.next_step


@docker
def test_a_name_docker_does_not_accept_is_misconfigured():
    with pytest.raises(Misconfigured, match="invalid reference format"):
        resolve_base("Not An Image", cache=CACHE)


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
    monkeypatch.setattr(bases, "build_base", lambda recipe, cache, host: recipe.tag)
    asked = f"127.0.0.1:{silent_registry.getsockname()[1]}/library/busybox:latest"

    first = resolve_base(asked, cache=tmp_path, silence_seconds=1)
    _connections(silent_registry)
    again = resolve_base(asked, cache=tmp_path, silence_seconds=1)

    assert first == again
    assert first.substitute
    assert _connections(silent_registry) == 0


@docker
def test_silence_without_a_stand_in_is_reported(silent_registry, tmp_path):
    asked = f"127.0.0.1:{silent_registry.getsockname()[1]}/team/thing:1"

    with pytest.raises(Misconfigured, match="said nothing for 1 s; stand-in: there is no recipe"):
        resolve_base(asked, cache=tmp_path, silence_seconds=1)


@docker
def test_a_stand_in_that_cannot_be_built_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", _recipes_of_its_own(tmp_path))

    def no_network(*_: object) -> str:
        raise CommandFailed(["apt-get", "update"], 100, "Err:1\nE: Temporary failure resolving 'mirror'")

    monkeypatch.setattr(bases, "build_base", no_network)

    with pytest.raises(Misconfigured, match="could not be built: E: Temporary failure resolving 'mirror'"):
        resolve_base("busybox", cache=tmp_path)


@docker
def test_a_machine_without_apt_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", _recipes_of_its_own(tmp_path))
    monkeypatch.setattr(base_build.shutil, "which", lambda name: None)

    with pytest.raises(Misconfigured, match=r"this machine: has no apt-get.*; allowed: Debian or Ubuntu"):
        resolve_base("busybox", cache=tmp_path)


@docker
def test_many_callers_at_once_build_a_stand_in_once(tmp_path, monkeypatch):
    monkeypatch.setattr(stand_ins, "RECIPES", _recipes_of_its_own(tmp_path))
    built: list[str] = []

    def counted(recipe, cache, host):
        built.append(recipe.kind)
        return base_build.build_base(recipe, CACHE, host)

    monkeypatch.setattr(bases, "build_base", counted)
    tag = stand_in_for("busybox").tag
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda asked: resolve_base(asked, cache=tmp_path), ["busybox", "alpine"] * 2))
        labels = connect().images.get(tag).labels
    finally:
        connect().images.remove(tag)

    assert {base.used for base in found} == {tag}
    assert built == ["busybox"]
    assert labels == {"headway.base": "busybox"}
    assert not list((CACHE / "building").glob(f"*{tag.rpartition(':')[2]}"))


@docker
@pytest.mark.parametrize(
    ("asked", "user", "command", "said"),
    [
        ("node:22-alpine", "node", ["-e", "console.log(process.version, process.getuid())"], "v22.20.0 1000"),
        ("node:22-alpine", None, ["npm", "--version"], "10."),
        ("python:3.11-slim", None, ["python", "-c", "import ssl, sqlite3; print('ok')"], "ok"),
        ("python:3.11-slim", None, ["sh", "-c", "python -m venv /v && /v/bin/pip list"], "pip "),
        ("python:3.11-slim", None, ["pip", "download", "--no-index", "nothing"], "No matching distribution"),
        ("haproxy:2.6-alpine", None, ["sh", "-c", "flock --version && haproxy -v && command -v nc"], "2.6.12"),
        ("registry:2", None, ["--version"], "2.8.2"),
        ("aquasec/trivy:0.76.0", None, ["--version"], "Version: 0.76.0"),
        ("debian:bookworm-slim", None, ["sh", "-c", "dpkg --audit && useradd eve && su eve -c whoami"], "eve"),
        ("alpine:3.20", None, ["cat", "/etc/os-release"], "Debian"),
    ],
)
def test_a_stand_in_keeps_the_contract_of_its_image(asked, user, command, said):
    image = resolve_base(asked, cache=CACHE).used

    done = connect().containers.create(image, command, user=user, network_mode="none")
    try:
        done.start()
        done.wait()
        assert said in done.logs().decode()
    finally:
        done.remove(force=True, v=True)


@pytest.fixture
def running():
    """Start containers of stand-ins; they are removed at the end."""
    started = []

    def start(asked, **options):
        image = resolve_base(asked, cache=CACHE).used
        container = connect().containers.create(image, network_mode="none", **options)
        started.append(container)
        container.start()
        return container

    yield start
    for container in started:
        container.remove(force=True, v=True)


def _answers(container, probe, seconds=30):
    deadline = time.monotonic() + seconds
    while (done := container.exec_run(probe)).exit_code != 0 and time.monotonic() < deadline:
        pass
    return done.output.decode()


@docker
@pytest.mark.parametrize("storage", [{"tmpfs": {"/var/lib/postgresql/data": ""}}, {}], ids=["in memory", "kept"])
def test_postgres_starts_as_the_upstream_image_does(running, storage):
    password = 'it\'s "odd"\\'
    env = {"POSTGRES_USER": "shop-owner", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "shop"}
    container = running("postgres:15-alpine", environment=env, command=["-c", "fsync=off"], **storage)
    _answers(container, ["pg_isready", "-q", "-h", "127.0.0.1"])
    query = ["psql", "-At", "-U", "shop-owner", "shop", "-c"]

    facts = _answers(
        container, [*query, "select current_user, current_setting('fsync'), current_setting('is_superuser')"]
    )
    hashed = container.exec_run([*query, "select rolname, rolpassword like 'SCRAM%' from pg_authid where rolcanlogin"])
    rules = container.exec_run([*query, "select address, auth_method from pg_hba_file_rules where address = 'all'"])
    owner = container.exec_run(["stat", "-c", "%U %a", "/var/lib/postgresql/data"])

    assert facts == "shop-owner|off|on\n"
    assert hashed.output.decode() == "shop-owner|t\n"
    assert rules.output.decode() == "all|scram-sha-256\n"
    assert owner.output.decode() == "postgres 700\n"


@docker
def test_postgres_without_a_password_does_not_start(running):
    container = running("postgres:15-alpine")

    assert container.wait()["StatusCode"] == 1
    assert "set POSTGRES_PASSWORD" in container.logs().decode()


@docker
@pytest.mark.parametrize(
    ("asked", "port", "user"), [("nginx:alpine", 80, "root"), ("nginxinc/nginx-unprivileged:alpine", 8080, "nginx")]
)
def test_nginx_serves_its_folder_and_logs_to_the_container(running, asked, port, user):
    container = running(asked)

    page = _answers(container, ["wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/"])

    assert "nginx answers" in page
    assert container.exec_run(["id", "-un"]).output.decode().strip() == user
    assert '"GET / HTTP/1.1" 200' in container.logs().decode()


@docker
def test_trivy_sees_the_packages_of_a_stand_in(running):
    container = running("aquasec/trivy:0.76.0", command=["rootfs", "--quiet", "--format", "cyclonedx", "/"])
    container.wait()

    bill = json.loads(container.logs(stderr=False))

    assert any(part["type"] == "operating-system" and part["name"] == "debian" for part in bill["components"])
    assert any(part["name"] == "libc6" for part in bill["components"])


@docker
def test_the_browser_renders_a_page(running):
    container = running(
        "zenika/alpine-chrome:with-node",
        entrypoint=["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        command=["--dump-dom", "data:text/html,<script>document.title = 6 * 7</script>"],
    )
    container.wait()

    assert "<title>42</title>" in container.logs(stderr=False).decode()


def _recipes_of_its_own(folder: Path) -> Path:
    """A copy of the recipes whose images are nobody else's."""
    copied = folder / "bases"
    shutil.copytree(RECIPES, copied)
    (copied / "common" / "rootfs" / "unique").write_text(secrets.token_hex(8))
    return copied


def _connections(listener: socket.socket) -> int:
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@docker
def test_an_engine_that_stops_answering_is_transient(tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise requests.exceptions.ConnectionError("Connection refused")

    monkeypatch.setattr(bases, "_present", stopped)

    with pytest.raises(Transient, match="the Docker engine stopped answering"):
        resolve_base("busybox:1.36", cache=tmp_path)
