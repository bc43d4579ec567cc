"""Dockerfiles that nobody adapted, behind an authority that no image trusts: all of their downloads come from there."""

import base64
import hashlib
import io
import json
import socket
import subprocess
import tarfile
import zipfile

import psutil
import pytest

from delivery.docker.engine.client import connect
from delivery.docker.images import certificates
from delivery.docker.images.builder import build_image
from delivery.docker.images.registry import ensure_registry
from delivery.errors import Rejected
from tests.support.authority import Authority, https_server
from tests.support.builds import requested
from tests.support.images import on_engine
from tests.support.platforms import free_port, own_platform

pytestmark = pytest.mark.docker

JAVA = """\
import java.net.URI;
import java.net.http.*;
class Fetch {
  public static void main(String[] a) throws Exception {
    var answer = HttpClient.newHttpClient().send(
        HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString());
    System.out.print(answer.body());
  }
}
"""
GO = """\
package main
import ("io"; "net/http"; "os")
func main() {
  answer, err := http.Get(os.Args[1])
  if err != nil { panic(err) }
  io.Copy(os.Stdout, answer.Body)
}
"""
# What people write, with the address of the server in it; each leaves /fetched.
DOCKERFILES = {
    "pip": """\
FROM python:3.11-slim
RUN pip install --index-url {url}/simple/ own-parcel
RUN python -m own_parcel >/fetched
""",
    "uv": """\
FROM python:3.11-slim
COPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/uv
WORKDIR /app
COPY pyproject.toml ./
RUN uv sync --no-dev --no-install-project && .venv/bin/python -m own_parcel >/fetched
""",
    "npm": """\
FROM node:22-alpine
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
RUN node -e 'console.log(require("own-parcel"))' >/fetched
""",
    "apt": """\
FROM debian:bookworm-slim
RUN rm -rf /etc/apt/sources.list.d && echo 'deb [trusted=yes] {url}/apt ./' >/etc/apt/sources.list
RUN apt-get update && apt-get install -y own-parcel && own-parcel >/fetched
""",
    "curl": "FROM python:3.11\nRUN curl -fsSL {url}/file >/fetched\n",
    "wget": "FROM python:3.11\nRUN wget -q -O /fetched {url}/file\n",
    "git": "FROM python:3.11\nRUN git clone -q {url}/parcel.git /parcel && cp /parcel/file /fetched\n",
    "java": "FROM eclipse-temurin:17\nCOPY Fetch.java /\nRUN java /Fetch.java {url}/file >/fetched\n",
    "go": "FROM golang:1.19\nCOPY fetch.go /\nRUN go run /fetch.go {url}/file >/fetched\n",
    "python": """\
FROM python:3.11-slim
RUN python -c 'import urllib.request as r; print(r.urlopen("{url}/file").read().decode())' >/fetched
""",
    "node": """\
FROM node:22-alpine
RUN node -e 'fetch("{url}/file").then(a => a.text()).then(t => console.log(t))' >/fetched
""",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("home")) as home:
        yield home


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def url(tmp_path_factory, authority):
    """A server of packages of every kind, on the address under which builds find this machine."""
    bridge = next(one.address for one in psutil.net_if_addrs()["docker0"] if one.family == socket.AF_INET)
    folder = tmp_path_factory.mktemp("served")
    with https_server(folder, bridge, authority, tmp_path_factory.mktemp("keys") / "server.pem") as url:
        (folder / "file").write_text("parcel\n")
        _serve_python(folder / "simple" / "own-parcel")
        _serve_node(folder, url)
        _serve_debian(folder / "apt")
        _serve_git(folder)
        yield url


@pytest.fixture
def build(tmp_path, home, authority, url, monkeypatch):
    monkeypatch.setattr(certificates, "ANCHORS", (tmp_path / "anchors",))
    for variable in certificates.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "anchors").mkdir()
    source = tmp_path / "source"
    source.mkdir()
    for name, text in _sources(url).items():
        (source / name).write_text(text)

    def start(tool, *, trusted=True):
        if trusted:
            (tmp_path / "anchors" / "company.crt").write_bytes(authority.pem)
        (source / "Dockerfile").write_text(DOCKERFILES[tool].format(url=url))
        repository = f"{ensure_registry(home, preferred_port=free_port()).address}/authority/{tool}"
        return build_image(requested(source, name=tool), repository=repository, home=home).ref

    return start


@pytest.mark.parametrize("tool", DOCKERFILES)
def test_a_dockerfile_that_nobody_adapted_is_built_behind_the_authority(build, authority, tool):
    ref = build(tool)

    content = b"".join(connect().images.get(on_engine(ref)).save())
    with tarfile.open(fileobj=io.BytesIO(content)) as image:
        layers = [image.extractfile(name).read() for name in image.getnames() if name.endswith("layer.tar")]
    assert b"parcel" in _fetched(ref)
    assert not [one for one in (content, *layers) if authority.pem.splitlines()[5] in one]
    assert "headway" not in json.dumps(connect().images.get(on_engine(ref)).attrs["Config"]["Env"])


@pytest.mark.parametrize("tool", ["pip", "uv", "npm", "apt", "curl"])
def test_the_authority_is_what_lets_it_be_built(build, tool):
    with pytest.raises(Rejected, match=r"(?s)the build failed in step.*next: a certificate was not trusted"):
        build(tool, trusted=False)


def _fetched(ref):
    container = connect().containers.create(on_engine(ref), ["true"])
    try:
        chunks, _ = container.get_archive("/fetched")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            return archive.extractfile(archive.getmembers()[0]).read()
    finally:
        container.remove()


def _sources(url):
    return {
        "Fetch.java": JAVA,
        "fetch.go": GO,
        ".npmrc": f"registry={url}/npm/\n",
        "package.json": json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"own-parcel": "1.0.0"}}),
        "package-lock.json": json.dumps(
            {
                "name": "app",
                "version": "1.0.0",
                "lockfileVersion": 3,
                "packages": {
                    "": {"name": "app", "version": "1.0.0", "dependencies": {"own-parcel": "1.0.0"}},
                    "node_modules/own-parcel": {"version": "1.0.0"},
                },
            }
        ),
        "pyproject.toml": (
            '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["own-parcel"]\n'
            f'[[tool.uv.index]]\nurl = "{url}/simple"\ndefault = true\n'
        ),
    }


def _serve_python(folder):
    folder.mkdir(parents=True)
    name, info = "own_parcel-1.0.0-py3-none-any.whl", "own_parcel-1.0.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("own_parcel.py", 'print("parcel")\n')
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: own-parcel\nVersion: 1.0.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{name}#sha256={digest}">{name}</a>')


def _serve_node(folder, url):
    described = json.dumps({"name": "own-parcel", "version": "1.0.0", "main": "index.js"}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {"package.json": described, "index.js": b'module.exports = "parcel"\n'}.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    (folder / "npm").mkdir()
    (folder / "own-parcel-1.0.0.tgz").write_bytes(buffer.getvalue())
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    dist = {"tarball": f"{url}/own-parcel-1.0.0.tgz", "integrity": integrity}
    versions = {"1.0.0": {**json.loads(described), "dist": dist}}
    (folder / "npm" / "own-parcel").write_text(
        json.dumps({"name": "own-parcel", "dist-tags": {"latest": "1.0.0"}, "versions": versions})
    )


def _serve_debian(folder):
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/own-parcel").write_text("#!/bin/sh\necho parcel\n")
    (tree / "usr/bin/own-parcel").chmod(0o755)
    control = (
        "Package: own-parcel\nVersion: 1.0.0\nArchitecture: all\nMaintainer: Ada <ada@example.org>\nDescription: one\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    file = folder / "own-parcel_1.0.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True)
    content = file.read_bytes()
    sums = f"Filename: ./{file.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    (folder / "Packages").write_text(control + sums)


def _serve_git(folder):
    work = folder / "parcel"
    work.mkdir()
    (work / "file").write_text("parcel\n")
    git = ["git", "-C", work, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "Open"], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, folder / "parcel.git"], check=True)
    subprocess.run(["git", "-C", folder / "parcel.git", "update-server-info"], check=True)
