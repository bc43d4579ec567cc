"""The examples are files that Headway takes, and the faults beside them still fit."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from delivery.spec.app import App
from delivery.spec.matrix import expand

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
TASKMANAGER = EXAMPLES / "taskmanager"
FAULTS = sorted(path.stem for path in (TASKMANAGER / "faults").glob("*.patch"))


def load(example: str) -> App:
    return App.model_validate(yaml.safe_load((EXAMPLES / example / "headway.yaml").read_text()))


@pytest.mark.parametrize(("example", "lines"), [("taskmanager", 95), ("hello", 15)])
def test_an_example_is_described_in_few_lines(example: str, lines: int) -> None:
    assert load(example).app == example
    assert len((EXAMPLES / example / "headway.yaml").read_text().splitlines()) <= lines


@pytest.mark.parametrize("example", ["taskmanager", "hello"])
def test_every_file_an_example_names_exists(example: str) -> None:
    app = load(example)
    builds = [*app.images.values(), *(suite.build for suite in app.suites.values() if suite.build)]
    assert all((EXAMPLES / example / build.context / build.dockerfile).is_file() for build in builds)
    folders = app.database.migrate.folders if app.database and app.database.migrate else ()
    assert all(any((EXAMPLES / example / folder).glob("*.sql")) for folder in folders)


def test_the_matrix_tests_the_images_and_staging_the_whole() -> None:
    app = load("taskmanager")
    assert [cell.name for cell in expand(app)] == ["unit 1/2", "unit 2/2", "api"]
    assert app.environments["staging"].acceptance == ("postman", "e2e")


def test_only_the_backend_answers_the_paths_of_the_api() -> None:
    routes = load("taskmanager").routes()
    pages = {f"/{path.name}" for path in (TASKMANAGER / "frontend" / "public").iterdir()}
    own = [prefix for prefix, service in routes.items() if service == "backend"]
    assert not [page for page in pages if page.startswith(tuple(own))]


@pytest.mark.parametrize("folder", ["backend", "tests/postman", "tests/e2e"])
def test_a_lock_file_names_no_registry(folder: str) -> None:
    packages = json.loads((TASKMANAGER / folder / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    assert not [name for name, package in packages.items() if "resolved" in package]


def test_every_fault_is_explained() -> None:
    table = (TASKMANAGER / "faults" / "README.md").read_text()
    assert len(FAULTS) == 5
    assert all(f"| `{fault}` |" in table for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_can_be_applied(fault: str, tmp_path: Path) -> None:
    copy = shutil.copytree(TASKMANAGER, tmp_path / "app", ignore=shutil.ignore_patterns("node_modules"))
    result = subprocess.run(
        ["git", "apply", "--check", "--verbose", f"faults/{fault}.patch"], cwd=copy, capture_output=True
    )
    assert result.returncode == 0, result.stderr
    assert b"Skipped" not in result.stderr  # what git does, with exit code 0, below the top of a repository
