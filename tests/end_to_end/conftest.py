"""One platform for all end-to-end tests, in a folder of its own, removed with everything it made."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from delivery.home import Home
from delivery.ledger import LABEL_PLATFORM
from tests.end_to_end.project import Project
from tests.support.platforms import free_port


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform's folder that shares only the downloads of base images with others."""
    folder = tmp_path_factory.mktemp("platform")
    shared = Home.current().cache
    shared.mkdir(parents=True, exist_ok=True)
    (folder / "cache").symlink_to(shared, target_is_directory=True)
    return folder


@pytest.fixture(scope="session")
def taskmanager(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The task manager, not delivered yet; the platform ends with it."""
    project = Project(home, tmp_path_factory.mktemp("taskmanager") / "app", server_port=free_port())
    project.copy_example("taskmanager")
    yield project
    identity = project.identity() if (home / "identity").exists() else ""
    done = project.headway("down", "--purge")
    assert done.returncode == 0, done.stderr
    client = docker.from_env()
    label = {"label": f"{LABEL_PLATFORM}={identity}"}
    assert client.containers.list(all=True, filters=label, ignore_removed=True) == []
    assert client.networks.list(filters=label) == []
    assert client.volumes.list(filters=label) == []
    client.close()


@pytest.fixture(scope="session")
def live(taskmanager: Project) -> Project:
    """The task manager, its first commit live in production."""
    done = taskmanager.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    taskmanager.ending = done.stdout
    return taskmanager


@pytest.fixture(scope="session")
def hello(taskmanager: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The smallest application on the same platform, for what does not need a large one."""
    project = Project(taskmanager.home, tmp_path_factory.mktemp("hello") / "app", taskmanager.server_port)
    project.copy_example("hello")
    return project


@pytest.fixture(scope="session")
def greeter(hello: Project) -> Project:
    """The smallest application, live in production."""
    hello.describe("  production: {target: {port: PORT}, watch: {seconds: 1}}\n")
    done = hello.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return hello
