"""Releases whose schema changes, with a real tool: which ones are let in, and how a rollback gets over each change."""

import json
import re

import httpx
import pytest

from tests.end_to_end.load import load_on
from tests.end_to_end.project import HANGS_SECONDS, Project

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end"),
    pytest.mark.timeout(HANGS_SECONDS),
]
SERVER = """
import os, psycopg
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Titles(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=2) as connection:
                rows = connection.execute("select {column} from task order by id").fetchall()
                status, said = 200, "{column}: " + ", ".join(row[0] for row in rows)
        except psycopg.Error as error:
            status, said = 503, str(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(said.encode())

ThreadingHTTPServer(("", 8000), Titles).serve_forever()
"""
DOCKERFILE = """\
FROM python:3.11-slim
RUN pip install --no-cache-dir alembic==1.20.1 sqlalchemy==2.0.44 'psycopg[binary]==3.2.13'
WORKDIR /srv
COPY alembic.ini server.py ./
COPY migrations migrations
EXPOSE 8000
CMD ["python", "server.py"]
"""
ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
FILE = """\
app: titles
images: {web: {}}
services: {web: {port: 8000, health: /}}
database:
  name: titles
  migrate: {image: web, tool: alembic, files: migrations/versions, rehearsal: {breaking: BREAKING}}
scan: {when_inconclusive: allow}
environments:
  production: {target: {port: PORT}, watch: {seconds: 1, max_slowdown: 50}}
"""
REVISION = """
from alembic import op
revision, down_revision = {name!r}, {before!r}
def upgrade():
    op.execute({up!r})
def downgrade():
    {down}
"""


def revise(project: Project, number: int, up: str, down: str) -> None:
    """Add a migration; without `down` there is no way back."""
    names = {"name": f"{number:03}", "before": f"{number - 1:03}" if number > 1 else None}
    back = f"op.execute({down!r})" if down else "raise NotImplementedError('what was dropped is gone')"
    text = REVISION.format(**names, up=up, down=back)
    (project.folder / "migrations" / "versions" / f"{number:03}.py").write_text(text)


def serve(project: Project, column: str) -> None:
    (project.folder / "server.py").write_text(SERVER.replace("{column}", column))


def deliver(project: Project, subject: str) -> str:
    project.commit(subject)
    done = project.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def says(project: Project) -> str:
    return httpx.get(project.url(), timeout=10).text


def slots(project: Project) -> object:
    return [view["state"]["slots"] for view in project.status()["environments"] if view["app"] == "titles"]


@pytest.fixture(scope="module")
def titles(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(shared.home, tmp_path_factory.mktemp("titles") / "app", shared.server_port)
    (project.folder / "migrations" / "versions").mkdir(parents=True)
    (project.folder / "Dockerfile").write_text(DOCKERFILE)
    (project.folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (project.folder / "migrations" / "env.py").write_text(ENV)
    (project.folder / "headway.yaml").write_text(FILE.replace("BREAKING", "block"))
    revise(project, 1, "create table task as select 1 as id, 'wash' as title", "drop table task")
    serve(project, "title")
    project.git("init", "-q", "-b", "main")
    project.describe(FILE.partition("environments:\n")[2])
    done = project.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_each_kind_of_boundary_is_crossed_refused_or_told_what_it_would_lose(titles: Project, record_property) -> None:
    revise(titles, 2, "alter table task add column done boolean", "alter table task drop column done")
    told = deliver(titles, "Add a column")
    with load_on(titles.url(), path="/", post=False) as safe:
        back = titles.headway("rollback", "--app", "titles")
    assert "traffic rollback is safe" in told
    assert (back.returncode, safe.failures) == (0, []), back.stdout + back.stderr
    deliver(titles, "Go on")

    revise(titles, 3, "alter table task rename title to subject", "alter table task rename subject to title")
    serve(titles, "subject")
    titles.commit("Rename it")
    before = slots(titles)
    blocked = titles.headway("run")
    assert blocked.returncode == 1
    assert "the live code does not run on the new schema" in blocked.stdout + blocked.stderr
    assert (slots(titles), says(titles)) == (before, "title: wash")

    titles.edit("headway.yaml", "breaking: block", "breaking: tell")
    told = deliver(titles, "Rename it all the same")
    before = slots(titles)
    refused = titles.headway("rollback", "--app", "titles")
    assert "a rollback needs a down migration" in told
    assert (refused.returncode, slots(titles)) == (1, before)
    assert "headway rollback --down" in refused.stdout + refused.stderr
    down = titles.headway("rollback", "--app", "titles", "--down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert says(titles) == "title: wash"
    deliver(titles, "Rename it again")
    assert says(titles) == "subject: wash"

    revise(titles, 4, "alter table task add column name text default 'dry'; alter table task drop column subject", "")
    serve(titles, "name")
    told = deliver(titles, "Drop what was there")
    before = slots(titles)
    refused = titles.headway("rollback", "--app", "titles")
    said = refused.stdout + refused.stderr
    record_property("refusal", said)
    assert "a rollback needs point-in-time recovery" in told
    assert (refused.returncode, slots(titles), says(titles)) == (1, before, "name: dry")
    assert "loses what was written in the last" in said
    backup = re.findall(r"--restore (\S+)", said)[0]
    restored = titles.headway("rollback", "--app", "titles", "--restore", backup)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert says(titles) == "subject: wash"
    kept = json.loads(titles.headway("database", "list", "--app", "titles", "--json").stdout)
    assert [one for one in kept["beside"] if one.startswith("titles_until_")] != []
