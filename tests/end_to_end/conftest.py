"""A platform for the tests of each module, in a folder of its own, removed with everything it made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from delivery.changes.ledger import LABEL_PLATFORM
from tests.end_to_end.project import Project
from tests.support.platforms import new_home


@contextmanager
def own_project(folder: Path, example: str) -> Iterator[Project]:
    """Yield a copy of an example that was not delivered yet; its platform shares only downloads with others."""
    project = Project(new_home(folder / "home").root, folder / "app")
    project.copy_example(example)
    try:
        yield project
    finally:
        remove_platform(project)


def remove_platform(project: Project) -> None:
    """Remove the project's platform as its user would, and assert that nothing of it is left."""
    identity = project.identity() if (project.home / "identity").exists() else ""
    done = project.headway("down", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    client, label = docker.from_env(), {"label": f"{LABEL_PLATFORM}={identity}"}
    assert client.containers.list(all=True, filters=label, ignore_removed=True) == []
    assert client.networks.list(filters=label) == []
    assert client.volumes.list(filters=label) == []
    client.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The task manager, its first commit live in production."""
    with own_project(tmp_path_factory.mktemp("taskmanager"), "taskmanager") as project:
        done = project.headway("run")
        assert done.returncode == 0, done.stdout + done.stderr
        project.ending = done.stdout
        yield project


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The smallest application, live in production, for what does not need a large one."""
    with own_project(tmp_path_factory.mktemp("hello"), "hello") as project:
        project.describe("  production: {target: {port: PORT}, watch: {seconds: 1}}\n")
        done = project.headway("run")
        assert done.returncode == 0, done.stdout + done.stderr
        yield project
