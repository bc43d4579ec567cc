"""Headway from its wheel: installed in an empty environment, and a stranger's repository delivered with it."""

import os
import re
import shutil

import httpx
import pytest

from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from tests.acceptance.test_strangers import APPLICATIONS, MORE
from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.support.platforms import new_home
from tests.support.wheels import build_wheel, environment_without_checkout, install_tool

pytestmark = [pytest.mark.docker, pytest.mark.prefect]

# A stranger's folders, called like Headway's packages.
NAMESAKES = ("cli", "flows", "tasks", "blocks", "delivery", "infra")


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The wheel, installed; nothing in the environment leads to the checkout from here on."""
    installed = install_tool(build_wheel(tmp_path / "wheel"), tmp_path / "tool")
    there = environment_without_checkout()
    for name in set(os.environ) - set(there):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{installed.headway.parent}:{there['PATH']}")
    return installed


@pytest.fixture
def project(tool, tmp_path):
    """A stranger's repository; its platform is removed at the end."""
    project = Project(new_home(tmp_path / "home").root, tmp_path / "guestbook", program=tool.headway)
    shutil.copytree(APPLICATIONS / "guestbook", project.folder)
    for name in NAMESAKES:
        (project.folder / name).mkdir(exist_ok=True)
        (project.folder / name / "__init__.py").write_text("raise SystemExit('this is the guestbook\\'s own')\n")
    project.git("init", "-q", "-b", "main")
    yield project
    remove_platform(project)


@pytest.mark.timeout(4 * HANGS_SECONDS)
def test_a_strangers_repository_is_delivered_by_what_the_wheel_installed(tool, project):
    assert project.headway("init").returncode == 0
    file = project.folder / "headway.yaml"
    file.write_text("\n".join([file.read_text().rstrip("\n"), *MORE["guestbook"]]) + "\n")
    project.commit("Describe it to Headway")
    checked = project.headway("check")
    assert checked.returncode == 0, checked.stderr

    done = project.headway("run", timeout=HANGS_SECONDS)

    assert done.returncode == 0, f"{file.read_text()}\n{done.stdout}\n{done.stderr}"
    url = re.search(r"^application +(\S+)$", done.stdout, re.MULTILINE)[1]
    assert httpx.post(url, json={"text": "from the wheel"}).status_code == 201
    assert httpx.get(url).json() == {"greeting": "Hello", "entries": ["from the wheel"]}
    daemons = _daemons_of_the_tool(tool, project)

    again = project.headway("run", timeout=HANGS_SECONDS)
    assert (again.returncode, ": unchanged: " in again.stdout) == (0, True), again.stdout + again.stderr

    remove_platform(project)
    assert [process.pid for process in daemons if process.is_running()] == []
    with pytest.raises(httpx.TransportError):
        httpx.get(url)


def _daemons_of_the_tool(tool, project):
    """Server, worker and keeper: they run in the tool's environment."""
    platform = Orchestrator(Home(project.home))
    daemons = [daemon.process() for daemon in (platform.server, platform.worker, platform.keeper)]
    assert None not in daemons
    for process in daemons:
        assert process.cmdline()[0] == str(tool.python)
    return daemons
