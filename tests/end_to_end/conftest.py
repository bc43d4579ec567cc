"""One platform for the whole deliveries here, in a folder of its own, removed with everything it made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.engine.client import connect
from delivery.home import Home
from tests.end_to_end.browser import Browser, build_browser
from tests.end_to_end.project import Project
from tests.support.platforms import free_port, new_home

# One before the first release there ever was, and one that asks what it made live.
HOOKS = """\
hooks:
  before_release:
    - {image: web, command: [python, -c, "import os; print(os.environ['HEADWAY_RELEASE'], 'may go', flush=True)"]}
  after_release:
    - image: web
      command: [python, -c, "import os, urllib.request as web; print(web.urlopen(os.environ['BASE_URL']).status)"]
  after_failure: [{image: web, command: ["false"]}]
"""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A platform that nobody started yet, for all projects here; the project is no one's."""
    folder = tmp_path_factory.mktemp("platform")
    (folder / "nothing").mkdir()
    platform = Project(new_home(folder / "home").root, folder / "nothing", free_port())
    yield platform
    remove_platform(platform)


def remove_platform(project: Project) -> None:
    """Remove the project's platform as its user would, and assert that nothing of it is left."""
    identity = project.identity() if (project.home / "identity").exists() else ""
    done = project.headway("down", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    client, label = connect(), {"label": f"{LABEL_PLATFORM}={identity}"}
    assert client.containers.list(all=True, filters=label, ignore_removed=True) == []
    assert client.networks.list(filters=label) == []
    assert client.volumes.list(filters=label) == []
    client.close()


def copy_of(shared: Project, folder: Path, example: str) -> Project:
    """Return a copy of an example that was not delivered yet, for the shared platform."""
    project = Project(shared.home, folder / "app", shared.server_port)
    project.copy_example(example)
    return project


@pytest.fixture(scope="session")
def live(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The task manager, its first commit live in production."""
    project = copy_of(shared, tmp_path_factory.mktemp("taskmanager"), "taskmanager")
    done = project.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    project.ending = done.stdout
    return project


@pytest.fixture(scope="session")
def greeter(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The smallest application, live in production, for what does not need a large one."""
    project = copy_of(shared, tmp_path_factory.mktemp("hello"), "hello")
    project.describe(f"  production: {{target: {{port: PORT}}, watch: {{seconds: 1}}}}\n{HOOKS}")
    done = project.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    project.ending = done.stdout
    return project


@pytest.fixture(scope="session")
def browser(shared: Project) -> Browser:
    """A real browser for the shared platform's UI."""
    return build_browser(Home(shared.home))
