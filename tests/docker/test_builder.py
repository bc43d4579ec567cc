import gc
import hashlib
import io
import json
import secrets
import sys
import tarfile
from pathlib import Path

import certifi
import docker
import httpx
import pytest
from pydantic import SecretStr

from delivery.docker.engine import disk, engine_watch
from delivery.docker.engine.client import connect
from delivery.docker.images import builder, certificates
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.build_client import find_builder
from delivery.docker.images.builder import build_image
from delivery.docker.images.pushing import publish_release
from delivery.docker.images.registry import ensure_registry
from delivery.docker.images.registry_state import own_registry
from delivery.docker.services import DockerBuilder
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.ports.builder import BuildRequest
from delivery.programs.buildkit import Builder
from delivery.releases.release import Release
from delivery.spec.images import Image
from tests.support.builds import REVISION, requested
from tests.support.engine_proxy import engine_proxy
from tests.support.images import on_engine
from tests.support.platforms import free_port, own_platform
from tests.support.registries import key_of

pytestmark = pytest.mark.docker

CASES = Path(__file__).parent / "cases" / "builds"
COMPOSE = Builder(kind="compose", program=str(Path(sys.executable).parent / "docker-compose"), version="2.40.3")
CLASSIC = Builder(kind="classic", version="20.10")
DOCKERFILE = """\
ARG BASE=busybox:1.36
FROM ${BASE} AS deps
RUN echo dependencies >/deps

FROM busybox:1.36 AS web
COPY --from=deps /deps /deps
COPY . /srv/
CMD ["cat", "/srv/page"]

FROM deps AS test
RUN echo never built by default && exit 1
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("home")) as home:
        yield home


@pytest.fixture(scope="module")
def registry(home):
    return ensure_registry(home, preferred_port=free_port()).address


@pytest.fixture
def repository(registry):
    """A repository of its own; the engine's copies are removed at the end."""
    name = f"{registry}/shop-{secrets.token_hex(4)}/web"
    yield name
    for image in connect().images.list(name):
        connect().images.remove(image.id, force=True)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "web" / "page").write_text(secrets.token_hex(8))
    return folder


@pytest.fixture
def build(source, repository, home):
    def start(text=None, client=None, given=None, **image):
        if text is not None:
            (source / "web" / "Dockerfile").write_text(text)
        wanted = Image(**{"context": "web", "target": "web" if text is None else None, **image})
        request = requested(source, wanted, secrets=given or {}, origin="https://example.org/shop")
        return build_image(request, repository=repository, home=home, builder=client)

    return start


def _read(reference, path):
    container = connect().containers.create(on_engine(reference))
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            return archive.extractfile(archive.getmembers()[0]).read().decode()
    finally:
        container.remove()


@pytest.mark.parametrize("client", [None, pytest.param(COMPOSE, marks=pytest.mark.long)], ids=["found", "compose"])
def test_a_step_gets_its_secret_and_neither_image_nor_log_has_it(build, home, client):
    canary = f"canary-{secrets.token_hex(8)}"
    step = "--mount=type=secret,id=npmrc cd /run/secrets && sha256sum npmrc >/seen; cat npmrc"

    built = build(f"FROM busybox:1.36\nRUN {step} # {canary[-4:]}\n", client, given={"npmrc": SecretStr(canary)})

    image = connect().images.get(on_engine(built.ref))
    log = (home.logs / "test" / "build-web.log").read_text()
    assert _read(built.ref, "/seen").split()[0] == hashlib.sha256(canary.encode()).hexdigest()
    assert ("***" in log, canary in log) == (True, False)
    assert canary not in str(image.history()) + str(image.attrs)
    assert not [layer for layer in _unpacked(b"".join(image.save())) if canary.encode() in layer]


def test_a_failed_build_tells_no_secret(build, home):
    canary = f"canary-{secrets.token_hex(8)}"
    step = f"RUN --mount=type=secret,id=npmrc cat /run/secrets/npmrc; exit 7 # {secrets.token_hex(4)}"

    with pytest.raises(Rejected) as caught:
        build(f"FROM busybox:1.36\n{step}\n", given={"npmrc": SecretStr(canary)})

    assert "***" in str(caught.value)
    assert canary not in str(caught.value) + (home.logs / "test" / "build-web.log").read_text()


def test_a_builder_that_gives_no_secrets_to_steps_is_told_with_the_key(build):
    with pytest.raises(Misconfigured) as caught:
        build(client=CLASSIC, given={"npmrc": SecretStr("canary")})

    assert caught.value.where == "headway.yaml: images.web.build_secrets"
    assert "install docker buildx" in str(caught.value)


@pytest.mark.parametrize(
    "client",
    [None, pytest.param(COMPOSE, marks=pytest.mark.long), pytest.param(CLASSIC, marks=pytest.mark.long)],
    ids=["found", "compose", "classic"],
)
def test_emoji_and_quotes_arrive_in_a_build_as_they_are(build, client):
    spoken = '🚀 ä漢字 "it\'s" $5 # no comment'
    dockerfile = 'FROM busybox:1.36\nARG TEXT\nRUN printf %s "$TEXT" >/told\n'

    built = build(dockerfile, client, build_args={"TEXT": spoken})

    assert _read(built.ref, "/told") == spoken


@pytest.mark.parametrize(
    "client", [None, pytest.param(COMPOSE, marks=pytest.mark.long), CLASSIC], ids=["found", "compose", "classic"]
)
def test_an_image_is_built_and_known_by_its_digest(build, source, registry, home, client):
    target = None if client is CLASSIC else "web"  # it would build the failing stage behind it as well
    dockerfile = DOCKERFILE.partition("FROM deps AS test")[0] if client is CLASSIC else DOCKERFILE

    built = build(dockerfile, client, target=target)

    name, digest = built.ref.repository, built.ref.digest
    manifest = httpx.get(
        f"http://{registry}/v2/{name}/manifests/{digest}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
        auth=key_of(home),
    )
    assert manifest.headers["Docker-Content-Digest"] == digest
    assert _read(built.ref, "/srv/page") == (source / "web" / "page").read_text()
    assert built.builder == str(client or find_builder())
    assert built.size_bytes > 1_000_000


def test_the_image_tells_where_it_came_from(build, repository):
    labels = connect().images.get(on_engine(build().ref)).labels

    assert {key: value for key, value in labels.items() if key.startswith("org.opencontainers.image")} == {
        "org.opencontainers.image.title": repository.partition("/")[2],
        "org.opencontainers.image.revision": REVISION.sha,
        "org.opencontainers.image.version": REVISION.short,
        "org.opencontainers.image.created": "2026-03-04T05:06:07+00:00",
        "org.opencontainers.image.source": "https://example.org/shop",
    }


def test_the_bases_used_are_recorded_and_the_users_files_stay_as_they_are(build, source, home):
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}

    built = build()

    used = resolve_base("busybox:1.36", home=home)
    assert built.bases == (used,)
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before


def test_the_same_sources_give_the_same_image(build):
    assert build().ref == build().ref


def test_no_working_tag_stays_behind(build, home, registry):
    built = build()

    tags = httpx.get(f"http://{registry}/v2/{built.ref.repository}/tags/list", auth=key_of(home))
    assert tags.json()["tags"] == [REVISION.sha[:12]]
    assert connect().images.list(f"headway-{home.identity}-build") == []


def test_what_is_ignored_stays_ignored_when_the_base_is_replaced(build, source):
    (source / "web" / "secret.txt").write_text("not for the image")
    (source / "web" / "Dockerfile.dockerignore").write_text("secret.txt\n")

    built = build("FROM busybox:1.36\nCOPY . /srv/\nRUN ls /srv >/files\n")

    assert _read(built.ref, "/files").split() == ["Dockerfile", "Dockerfile.dockerignore", "page"]


CA_DOCKERFILE = """\
FROM busybox:1.36
COPY page /page
RUN --mount=type=secret,id=ca,target=/run/ca.crt if [ -s /run/ca.crt ]; then echo own; else echo none; fi >/certificates
"""
UNADAPTED = """\
FROM busybox:1.36
COPY page /page
RUN grep -c BEGIN "$SSL_CERT_FILE" "$PIP_CERT" "$NODE_EXTRA_CA_CERTS" "$CURL_CA_BUNDLE" >/certificates
RUN cat "$APT_CONFIG" "$WGETRC" >>/certificates && head -c 9 "${JAVA_TOOL_OPTIONS%% *}" >/dev/null || true
RUN env >/variables
"""


def _holds(ref, pem):
    """Whether a line of the certificate is anywhere in the image: files, configuration, history."""
    line = pem.splitlines()[5]
    archive = b"".join(connect().images.get(on_engine(ref)).save())
    return line in archive or any(line in layer for layer in _unpacked(archive))


def _unpacked(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as image:
        for name in image.getnames():
            if name.endswith("layer.tar"):
                yield image.extractfile(name).read()


@pytest.mark.parametrize("client", [None, pytest.param(COMPOSE, marks=pytest.mark.long)], ids=["found", "compose"])
@pytest.mark.parametrize(
    "dockerfile", [CA_DOCKERFILE, pytest.param(UNADAPTED, marks=pytest.mark.long)], ids=["adapted", "unadapted"]
)
def test_the_machines_authority_reaches_the_build_and_no_layer(build, authority, client, dockerfile):
    built = build(dockerfile, client)

    said = _read(built.ref, "/certificates")
    if dockerfile == CA_DOCKERFILE:
        assert said == "own\n"
    else:
        counts = {int(line.rpartition(":")[2]) for line in said.splitlines()[:4]}
        assert min(counts) > 100  # the public ones are trusted as before
        assert said.splitlines()[4:] == [
            'Acquire::https::CaInfo "/dev/headway/ca.crt";',
            "ca_certificate = /dev/headway/ca.crt",
        ]
    assert not _holds(built.ref, authority)
    assert "headway" not in str(connect().images.get(on_engine(built.ref)).attrs["Config"]["Env"])


def test_nothing_of_what_the_build_was_given_stays_in_the_image(build, authority):
    built = build("FROM busybox:1.36\nRUN ls /dev/headway >/seen\n")

    assert _read(built.ref, "/seen").split() == ["apt.conf", "ca.crt", "truststore.p12", "wgetrc"]
    archive = b"".join(connect().images.get(on_engine(built.ref)).save())
    assert not [layer for layer in _unpacked(archive) if b"dev/headway" in layer]


@pytest.mark.long
def test_a_machine_without_an_authority_of_its_own_changes_nothing(build, tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "ANCHORS", (tmp_path / "none",))
    for variable in certificates.VARIABLES:
        monkeypatch.setenv(variable, certifi.where())

    assert _read(build(CA_DOCKERFILE).ref, "/certificates") == "none\n"
    assert "headway" not in _read(build("FROM busybox:1.36\nRUN env >/variables\n").ref, "/variables")


def test_a_failing_step_is_shown_as_it_was_written(build, authority):
    with pytest.raises(Rejected, match=r"step \[2/2\] RUN echo about to fail; exit 7\n"):
        build("FROM busybox:1.36\nRUN echo about to fail; exit 7\n")


@pytest.mark.parametrize(
    "client", [None, pytest.param(COMPOSE, marks=pytest.mark.long), CLASSIC], ids=["found", "compose", "classic"]
)
def test_a_dockerfile_that_does_not_build_shows_the_step_and_the_log(build, home, client):
    with pytest.raises(Rejected) as caught:
        build("FROM busybox:1.36\nCOPY page /page\nRUN echo about to fail; exit 7\n", client)

    log = home.logs / "test" / "build-web.log"
    assert str(caught.value).startswith("images.web: ")
    assert "RUN echo about to fail; exit 7" in str(caught.value)
    assert str(caught.value).endswith(f"full log: {log}")
    assert "about to fail" in log.read_text()


@pytest.mark.long
def test_the_old_builder_leaves_no_container_behind(build):
    mark = f"headway-test-{secrets.token_hex(4)}"

    with pytest.raises(Rejected):
        build(f"FROM busybox:1.36\nLABEL {mark}=1\nRUN true\nRUN false\n", CLASSIC)

    assert connect().containers.list(all=True, filters={"label": mark}) == []


@pytest.mark.parametrize(
    ("image", "where", "said"),
    [
        ({"dockerfile": "Containerfile"}, "images.web.dockerfile", "no file Containerfile in web; allowed: Dockerfile"),
        ({"context": "nowhere"}, "images.web.context", "no folder nowhere"),
        ({"context": ".."}, "images.web.context", "a folder beside headway.yaml"),
        ({"dockerfile": "../../outside"}, "images.web.dockerfile", "no file ../../outside"),
        ({"target": "prod"}, "images.web.target", "no stage prod; allowed: deps, web, test"),
    ],
)
def test_what_is_not_there_is_named_by_its_place_in_the_file(build, source, image, where, said):
    (source.parent / "outside").write_text("FROM busybox\n")

    with pytest.raises(Misconfigured) as caught:
        build(**image)

    assert caught.value.where == f"headway.yaml: {where}"
    assert said in str(caught.value)


def test_a_syntax_line_is_no_obstacle_where_its_image_cannot_be_pulled(build, home):
    base = resolve_base("busybox:1.36", home=home).used

    assert build(f"# syntax=docker/dockerfile:1\nFROM {base}\nCOPY page /page\n").bases[0].substitute is False


def test_a_base_that_cannot_be_had_is_named(build):
    with pytest.raises(Misconfigured, match="base image headway-nobody/ruby:9"):
        build("FROM headway-nobody/ruby:9\n")


def test_a_suites_image_is_named_by_its_suite(source, repository, home):
    def start(image):
        order = BuildRequest(
            source=source,
            name="suite-api",
            key="suites.api.build",
            image=image,
            revision=REVISION,
            repository=repository.partition("/")[2],
            run="test",
        )
        return DockerBuilder(home, own_registry(home)).build(order, lambda _: None)

    assert start(Image(context="web", target="web")).name == "suite-api"
    with pytest.raises(Misconfigured, match=r"suites\.api\.build\.dockerfile"):
        start(Image(context="web", dockerfile="nothing"))


def test_a_disk_that_is_full_in_the_middle_of_a_build_is_said_so(build):
    with pytest.raises(Rejected, match=r"images.web: the Docker engine's disk is full \(\d+.* GB left"):
        build("FROM busybox:1.36\nCOPY page /page\nRUN dd if=/dev/zero of=/dev/shm/x bs=1M count=80\n")


def test_a_disk_that_is_almost_full_stops_a_build_before_it_starts(build, monkeypatch):
    monkeypatch.setattr(disk, "LEAST_BYTES", 10**18)

    with pytest.raises(Rejected, match="disk is full"):
        build()


def test_the_disk_of_another_machine_is_not_judged_by_this_ones(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://build.example.org")

    assert disk.free_bytes() is None


@pytest.fixture
def dying_engine(tmp_path, monkeypatch):
    """An engine in front of the real one that ends when a build begins."""
    with engine_proxy(tmp_path / "engine.sock") as proxy:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\necho '#7 [2/3] RUN make'\ntouch {proxy.dies}\nsleep 0.5\necho EOF\nexit 1\n")
        program.chmod(0o755)
        client = docker.DockerClient(base_url=f"unix://{proxy.path}")
        for module in (builder, engine_watch):
            monkeypatch.setattr(module, "connect", lambda **_: client)
        yield Builder(kind="docker", program=str(program), version="20.10.0")
        client.close()
    gc.collect()  # the SDK forgets to close a socket that finds nobody


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")
def test_a_build_under_which_the_engine_ended_is_named_and_not_repeated(build, dying_engine):
    with pytest.raises(Rejected) as caught:
        build("FROM busybox:1.36\nRUN make\n", client=dying_engine)

    assert str(caught.value).startswith(
        "images.web: the Docker engine ended while this was built, in step [2/3] RUN make; it is not built again"
    )
    assert "full log: " in str(caught.value)
    del caught
    gc.collect()  # the SDK's connections that were refused: no other test shall be told of them


def test_all_bases_that_cannot_be_had_are_named_at_once(build):
    with pytest.raises(Misconfigured) as caught:
        build("FROM headway-nobody/ruby:9\nCOPY --from=headway-nobody/perl:9 /a /b\n")

    assert "headway-nobody/ruby:9" in str(caught.value)
    assert "headway-nobody/perl:9" in str(caught.value)


@pytest.mark.long
def test_an_ordinary_dockerfile_is_built_again_and_again(build, source):
    """With a cache inside the images the third build ended Docker Engine 20.10."""
    for name in ("front/code", "back/pkg", "back/code"):
        (source / "web" / name).parent.mkdir(exist_ok=True)
        (source / "web" / name).write_text(name)
    text = (CASES / "inline-cache.Dockerfile").read_text()

    refs = []
    for number in range(4):
        (source / "web" / "back" / "code").write_text(str(number))
        refs.append(build(text).ref)

    assert len(set(refs)) == 4
    assert connect().ping()


def test_what_the_parser_cannot_read_is_said_by_the_engine(build):
    with pytest.raises(Rejected, match=r"(?i)unterminated heredoc|unknown instruction"):
        build("FROM busybox:1.36\nRUN <<EOF\necho never closed\n")


def test_a_registry_that_is_down_is_transient_and_named(source, home):
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(Transient, match=rf"pushing {address}/shop/web:.*is the registry up"):
        build_image(requested(source, Image(context="web", target="web")), repository=f"{address}/shop/web", home=home)
    for image in connect().images.list(f"{address}/shop/web"):
        connect().images.remove(image.id, force=True)


def _release(ref, created):
    return Release(
        app=f"shop-{secrets.token_hex(4)}",
        revision=REVISION,
        images={"web": ref},
        migrations_hash="1",
        configuration_hash="2",
        created=created,
    )


def test_a_release_is_an_image_that_holds_its_manifest(build, registry, home):
    release = _release(build().ref, REVISION.committed)

    ref = publish_release(release, registry=own_registry(home), home=home, run_id="test")
    assert (
        connect().images.list(f"headway-{home.identity}-release")
        == connect().images.list(f"{registry}/{ref.repository}")
        == []
    )

    image = connect().images.get(resolve_base(f"{registry}/{ref}", home=home).used)
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.save()))) as archive:
        layer = json.load(archive.extractfile("manifest.json"))[0]["Layers"][0]
        with tarfile.open(fileobj=archive.extractfile(layer)) as files:
            kept = Release.model_validate_json(files.extractfile("release.json").read())
    connect().images.remove(image.id, force=True)
    assert kept == release
    assert image.labels["headway.release"] == release.fingerprint
    assert ref.repository == f"{release.app}/release"
