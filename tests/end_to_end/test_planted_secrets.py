"""A secret of each kind is planted, and everything that a good and two bad deliveries leave is searched for it."""

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from delivery.docker.engine.client import connect
from tests.end_to_end.project import HANGS_SECONDS, Project

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end"),
    pytest.mark.timeout(HANGS_SECONDS),
]
# Everything that has a secret says it, as careless programs do.
SERVER = """\
import base64, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = os.environ["SERVICE_KEY"]
print("starting with", KEY, "Authorization: Basic", base64.b64encode(f"me:{KEY}".encode()).decode(), flush=True)

class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

ThreadingHTTPServer(("", 8000), Hello).serve_forever()
"""
DOCKERFILE = """\
FROM python:3.11-slim
RUN --mount=type=secret,id=token cat /run/secrets/token
COPY server.py /
EXPOSE 8000
CMD ["python", "/server.py"]
"""
FILE = """\
app: planted
images: {web: {build_secrets: {token: planted-build}}}
services: {web: {port: 8000, secrets: {SERVICE_KEY: planted-service}, start_seconds: 20}}
database:
  migrate:
    image: web
    command: [python, -c, "import os; print('migrating with', os.environ['MIGRATE_KEY'], os.environ['DATABASE_URL'])"]
    secrets: {MIGRATE_KEY: planted-migration}
suites:
  unit:
    image: web
    command: [python, -c, "import os, sys; print('testing with', os.environ['SUITE_KEY']); sys.exit(CODE)"]
    secrets: {SUITE_KEY: planted-suite}
scan: {when_inconclusive: allow, secrets: allow}
environments:
  production: {target: {port: PORT}, watch: {seconds: 1}}
"""
KINDS = ("build", "service", "migration", "suite")


@pytest.fixture
def planted(shared: Project, tmp_path: Path) -> Project:
    project = Project(shared.home, tmp_path / "app", shared.server_port)
    project.folder.mkdir()
    (project.folder / "Dockerfile").write_text(DOCKERFILE)
    (project.folder / "server.py").write_text(SERVER)
    (project.folder / "headway.yaml").write_text(FILE.replace("CODE", "0"))
    project.git("init", "-q", "-b", "main")
    project.describe(FILE.partition("environments:\n")[2])
    assert project.headway("up").returncode == 0
    return project


@contextmanager
def arguments_of_all() -> Iterator[set[str]]:
    """Collect the arguments of every process of the machine, again and again, while the body runs."""
    seen, stop = set[str](), threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(file.read_text(errors="replace").replace("\0", " "))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def kept_by(home: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a home but those that hold keys and passwords for their owner alone."""
    for path in home.rglob("*"):
        if path.is_file() and not {"keys", "passwords", "cache"} & set(path.relative_to(home).parts):
            yield str(path), path.read_bytes()


def layers_of(app: str) -> Iterator[tuple[str, bytes]]:
    """Yield the images of an application as the engine writes them, and their history."""
    client = connect()
    for image in client.images.list():
        names = [*image.tags, *image.attrs.get("RepoDigests", [])]
        if any(f"/{app}/" in name for name in names):
            yield str(names), b"".join(image.save())
            yield f"history of {names}", str(image.history()).encode() + str(image.attrs).encode()
    client.close()


def test_a_planted_secret_of_each_kind_is_found_nowhere(planted: Project) -> None:
    values = {kind: f"canary-{secrets.token_hex(12)}" for kind in KINDS}
    for kind, value in values.items():
        assert planted.headway("secret", "set", f"planted-{kind}", typed=value).returncode == 0
    with arguments_of_all() as arguments:
        good = planted.headway("run")
        planted.edit("headway.yaml", "sys.exit(0)", "sys.exit(1)")
        planted.commit("Fail the tests")
        failed = planted.headway("run")
        planted.edit("headway.yaml", "sys.exit(1)", "sys.exit(0)")
        planted.edit("server.py", 'ThreadingHTTPServer(("", 8000), Hello).serve_forever()', "sys.exit(KEY)")
        planted.commit("Do not start")
        crashed = planted.headway("run")
        logs = planted.headway("logs", "web", "--app", "planted")
    codes = (good.returncode, failed.returncode, crashed.returncode, logs.returncode)
    assert codes == (0, 1, 3, 0), good.stderr + failed.stderr + crashed.stderr + logs.stderr
    told = "".join(one.stdout + one.stderr for one in (good, failed, crashed, logs))
    assert told.count("***") >= 3, told
    passwords = (planted.home / "passwords" / "planted.production.json").read_text()
    values["database"] = passwords.partition('"password": "')[2].partition('"')[0] or passwords
    for name in ("server", "registry"):
        values[f"key of the {name}"] = (planted.home / "keys" / name).read_text().partition(":")[2]
    url = f"http://127.0.0.1:{planted.server_port}/api"
    asked = [httpx.post(f"{url}/{path}/filter", json={}) for path in ("logs", "block_documents", "flow_runs")]
    assert {answer.status_code for answer in asked} <= {401, 403}

    places = {
        "what was told": told.encode(),
        "arguments": "\n".join(arguments).encode(),
        **dict(kept_by(planted.home)),
        **dict(layers_of("planted")),
    }
    hits = [
        f"{kind} in {place}"
        for kind, value in values.items()
        for form in (value.encode(), base64.b64encode(value.encode()).rstrip(b"=")[:-1])
        for place, content in places.items()
        if form in content
    ]
    print(f"\n{len(values)} secrets, {len(places)} places, {sum(map(len, places.values())) / 1e6:.0f} MB searched")
    assert hits == []
