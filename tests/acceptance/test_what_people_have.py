"""Four applications with long requests, a slow start, files of their own or a name of their own, released under load.

The machine is as busy as it can be: programs that only count keep every core occupied several times over.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.users import LASTING, USUAL, Site, users_of
from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.support.authority import self_signed
from tests.support.platforms import free_port, new_home

pytestmark = [pytest.mark.docker, pytest.mark.prefect]

APPLICATIONS = Path(__file__).parent / "applications"
EDITIONS = {"relay": "relay.py", "bookings": "bookings.py", "album": "album.js", "boutique": "boutique/urls.py"}
LOAD = int(os.environ.get("HEADWAY_BUSY_PROGRAMS", "8"))
NAME = "boutique.example"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of the platform that has all four."""
    folder = tmp_path_factory.mktemp("platform")
    project = Project(new_home(folder / "home").root, folder)
    yield project
    remove_platform(project)


@contextmanager
def busy_machine():
    """Keep every core occupied until the body ends."""
    with ExitStack() as ended:
        for _ in range(LOAD):
            program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            ended.callback(program.wait)
            ended.callback(program.kill)
        yield


class Application:
    """One of the four in a repository of its own, and where its users find it."""

    def __init__(self, name, platform, folder):
        self.name = name
        self.project = Project(platform.home, folder / name, server_port=platform.server_port)
        self.port = free_port()
        shutil.copytree(APPLICATIONS / name, self.project.folder)
        self.project.edit("headway.yaml", "PORT", str(self.port))
        self.site = Site(self.port)
        if name == "boutique":
            self.certificates = [self_signed(NAME) for _ in range(2)]
            trusted = "".join(text.partition("-----BEGIN PRIVATE KEY")[0] for text in self.certificates)
            self.port = free_port()
            self.project.edit("headway.yaml", "HTTPS", str(self.port))
            context = ssl.create_default_context(cadata=trusted)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # they are signed by nobody else
            self.site = Site(self.port, NAME, context)
        self.project.git("init", "-q", "-b", "main")
        self.project.commit("Start")

    def renew(self):
        """Give it its next certificate, when it shows any."""
        if self.name == "boutique":
            self.do("up")
            self.do("secret", "set", "boutique-tls", typed=self.certificates.pop(0))

    def change(self, edition):
        file = EDITIONS[self.name]
        self.project.edit(file, f'EDITION = "{self.edition()}"', f'EDITION = "{edition}"')
        self.project.commit(f"The {edition} edition")

    def edition(self):
        text = (self.project.folder / EDITIONS[self.name]).read_text()
        return text.partition('EDITION = "')[2].partition('"')[0]

    def do(self, *command, typed=""):
        done = self.project.headway(*command, timeout=2 * HANGS_SECONDS, typed=typed)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def serves(self):
        return json.loads(self.site.ask("GET", "/"))["edition"]


@pytest.mark.timeout(6 * HANGS_SECONDS)
@pytest.mark.parametrize("name", EDITIONS)
def test_a_busy_machine_releases_twice_and_rolls_back_without_a_loss(home, tmp_path, name, record_property):
    application = Application(name, home, tmp_path)
    application.renew()
    application.do("run")
    if name == "album":
        application.site.ask("PUT", "/pictures/cat.png", b"a cat")
    turns = USUAL | LASTING if name == "relay" else USUAL

    with busy_machine(), users_of(application.site, turns) as seen:
        application.change("second")
        application.do("run")
        assert application.serves() == "second"
        application.renew()
        application.change("third")
        application.do("run")
        assert application.serves() == "third"
        application.do("rollback")
        assert application.serves() == "second"

    record_property("requests", seen.good)
    assert not seen.failures, "\n".join(seen.failures)
    assert len(seen.good) == (8 if name == "relay" else 4)
    said = json.loads(application.site.ask("GET", "/said"))
    assert {token: said.get(token, 0) for token in seen.tokens if said.get(token, 0) != 1} == {}
    if name == "album":
        assert application.site.ask("GET", "/pictures/cat.png") == b"a cat"
    if name == "bookings":
        assert json.loads(application.site.ask("GET", "/confirmed"))["confirmed"] > 0
