"""A database whose volume is lost comes back from a kept backup, with the application that uses it."""

import json
import time
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
# It says how many rows there are, over a connection of its own each time, and is unwell when it cannot.
SERVER = """
import os, psycopg
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Count(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=2) as connection:
                status, said = 200, str(connection.execute("select count(*) from task").fetchone()[0])
        except psycopg.Error as error:
            status, said = 503, str(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(said.encode())

ThreadingHTTPServer(("", 8000), Count).serve_forever()
"""
MIGRATE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("create table if not exists task as select generate_series(1, 500) as id")
"""
DOCKERFILE = """\
FROM python:3.11-slim
RUN pip install --no-cache-dir "psycopg[binary]==3.*"
COPY server.py migrate.py /
EXPOSE 8000
CMD ["python", "/server.py"]
"""
FILE = """\
app: counter
images: {web: {}}
services: {web: {port: 8000, health: /}}
database:
  name: counter
  migrate:
    image: web
    command: [python, /migrate.py]
scan: {when_inconclusive: allow}
environments:
  production: {target: {port: PORT}, watch: {seconds: 1}}
"""


@pytest.fixture
def counter(shared: Project, tmp_path: Path) -> Project:
    project = Project(shared.home, tmp_path / "app", shared.server_port)
    project.folder.mkdir()
    (project.folder / "Dockerfile").write_text(DOCKERFILE)
    (project.folder / "server.py").write_text(SERVER)
    (project.folder / "migrate.py").write_text(MIGRATE)
    (project.folder / "headway.yaml").write_text(FILE)
    project.git("init", "-q", "-b", "main")
    project.describe(FILE.partition("environments:\n")[2])
    done = project.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def rows(project: Project) -> str:
    try:
        answer = httpx.get(project.url(), timeout=10)
    except httpx.HTTPError as error:
        return str(error)
    return answer.text.strip() if answer.status_code == 200 else f"status {answer.status_code}"


def test_the_application_is_back_with_every_row_of_the_backup_after_its_volume_was_lost(counter: Project) -> None:
    assert rows(counter) == "500"
    taken = counter.headway("backup", "--json")
    assert taken.returncode == 0, taken.stderr
    kept = json.loads(taken.stdout)
    client, name = connect(), f"headway-{counter.identity()}-counter-production-database"
    client.containers.get(name).remove(force=True)
    client.volumes.get(name).remove()
    assert rows(counter) != "500"
    (counter.folder / "server.py").write_text(SERVER + "# later\n")
    counter.commit("Change something")
    refused = counter.headway("run")

    began = time.monotonic()
    listed = counter.headway("backups", "--json")
    restored = counter.headway("restore", kept["name"], "--over-live", "--yes")
    while rows(counter) != "500":
        assert time.monotonic() - began < HANGS_SECONDS
    seconds = time.monotonic() - began

    assert refused.returncode == 2, refused.stdout
    assert "its data is gone" in refused.stdout + refused.stderr
    assert [(one["name"], one["rows"], one["proof"]["outcome"]) for one in json.loads(listed.stdout)["backups"]] == [
        (kept["name"], 500, "pass")
    ]
    assert restored.returncode == 0, restored.stdout + restored.stderr
    print(f"\nthe application was back {seconds:.1f} s after `headway backups` was asked\n{restored.stdout}")
    again = counter.headway("run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert rows(counter) == "500"
