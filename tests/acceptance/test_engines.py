"""Builds on other engines than the one that is there: the one that ended, and a newer one with buildx."""

import gc
import secrets
from pathlib import Path

import pytest

from delivery.docker.engine.client import connect, disconnect
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.build_client import find_builder, find_compose
from delivery.docker.images.builder import build_image
from delivery.home import Home
from delivery.programs.buildkit import Builder, buildx_version
from delivery.programs.run import run
from tests.support.builds import requested
from tests.support.debian_packages import with_programs_of
from tests.support.engines import copy_image, newer_programs, own_engine

pytestmark = [pytest.mark.docker, pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")]

CASES = Path(__file__).parents[1] / "docker" / "cases" / "builds"
REGISTRY = "127.0.0.1:5000"
STAGES = """\
FROM busybox:1.36 AS one
RUN date +%N >/made
FROM docker.io/library/busybox:1.36
COPY --from=one /made /made
RUN --mount=type=bind,from=busybox:1.36,target=/other ls /other/bin >/names
COPY page /page
"""


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory):
    return newer_programs(tmp_path_factory.mktemp("newer"))


@pytest.fixture
def newer(downloaded, tmp_path, monkeypatch):
    """Docker of Debian 13, and the builders that can use it."""
    plugins = tmp_path / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(downloaded / "usr/libexec/docker/cli-plugins/docker-buildx")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("LD_LIBRARY_PATH", with_programs_of(downloaded)["LD_LIBRARY_PATH"])
    docker, compose = str(downloaded / "usr/bin/docker"), find_compose()
    version = buildx_version(run([docker, "buildx", "version"], timeout_seconds=30).stdout)
    return {
        "folder": downloaded,
        "buildx": Builder(kind="buildx", program=docker, version=version),
        "compose": Builder(kind="compose", program=compose.program[0], version=compose.version),
    }


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.cache.symlink_to(Home.current().cache, target_is_directory=True)
    return home


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    for name in ("front/code", "back/pkg", "back/code", "page"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def on(monkeypatch, home):
    """Make the engine at an address the one that Headway uses, with a registry of its own."""

    images = [resolve_base(name, home=home).used for name in ("busybox:1.36", "registry:2")]

    def use(address):
        for name in images:
            copy_image(name, address)
        monkeypatch.setenv("DOCKER_HOST", address)
        disconnect()
        client = connect()
        client.containers.run(images[1], network_mode="host", detach=True)
        return client

    yield use
    disconnect()
    gc.collect()  # the SDK forgets to close a socket that finds nobody


def _build(source, home, text, builder=None, repository="shop/web"):
    (source / "Dockerfile").write_text(text)
    return build_image(requested(source), repository=f"{REGISTRY}/{repository}", home=home, builder=builder)


def test_the_cache_inside_images_ends_the_engine_and_headways_builds_do_not(tmp_path, source, home, on):
    dockerfile = (CASES / "inline-cache.Dockerfile").read_text()
    base = resolve_base("busybox", home=home).used
    (source / "Dockerfile").write_text(dockerfile.replace("FROM busybox", f"FROM {base}"))
    with own_engine(tmp_path / "one") as address:
        on(address)
        ended = [_build_with_inline_cache(source, str(number)) for number in range(4)]
    with own_engine(tmp_path / "two") as address:
        client = on(address)
        for number in range(4):
            (source / "back" / "code").write_text(str(number))
            _build(source, home, dockerfile)

        assert client.ping()
    assert "unexpected EOF" in "".join(ended)


def _build_with_inline_cache(source, content):
    """Build and push as many pipelines do, and return what went wrong."""
    (source / "back" / "code").write_text(f"inline {content}")
    docker, cache = find_builder().program, f"{REGISTRY}/shop/inline:cache"
    inline = ("--cache-from", cache, "--build-arg", "BUILDKIT_INLINE_CACHE=1")
    options = {"timeout_seconds": 120, "cwd": source, "accept": range(256)}
    built = run([docker, "build", "--tag", cache, *inline, "."], env={"DOCKER_BUILDKIT": "1"}, **options)
    pushed = run([docker, "push", cache], **options)
    return f"{built.stderr if built.returncode else ''}{pushed.stderr}"


@pytest.mark.parametrize("store", [False, True], ids=["graphdriver", "containerd"])
@pytest.mark.parametrize("kind", ["buildx", "compose"])
def test_a_newer_engine_replaces_images_beside_the_dockerfile(tmp_path, source, home, on, newer, kind, store):
    builder = newer[kind]
    with own_engine(tmp_path / "two", programs=newer["folder"], containerd_store=store) as address:
        client = on(address)

        first = _build(source, home, STAGES, builder)
        client.images.remove(f"{REGISTRY}/{first.ref}", force=True)
        client.api.prune_builds(all=True)
        (source / "page").write_text(secrets.token_hex(8))
        again = _build(source, home, STAGES, builder)

        assert first.bases[0].substitute
        assert first.ref != again.ref
        cached = "CACHED" in (home.logs / "test" / "build-web.log").read_text()
        assert cached is (kind == "buildx" and store)  # else a pruned engine has nothing to go by
