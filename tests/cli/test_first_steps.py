"""The order that `init` prints works: read it, check, plan, commit, run; also from a folder inside the project."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import FILE, Headway, Project


@pytest.fixture
def new(tmp_path: Path) -> Project:
    """An application that nobody made a repository of."""
    made = Project(tmp_path / "new")
    made.folder.mkdir()
    made.write("Dockerfile", "FROM python:3.11-alpine\nEXPOSE 8000\n")
    return made


def test_check_and_plan_work_before_there_is_a_repository(headway: Headway, new: Project) -> None:
    assert headway("init", new.folder).code == 0
    assert headway("check", new.folder).code == 0
    ended = headway("plan", new.folder)
    assert ended.code == 0
    assert ended.out.startswith("new, not committed yet\nbuild      web\n")
    assert "there is no git repository yet, and Headway delivers commits: git init, then git add" in ended.err


@pytest.mark.parametrize("committed", [False, True])
def test_check_and_plan_work_before_the_file_is_committed(headway: Headway, new: Project, committed: bool) -> None:
    new.git("init", "-q", "-b", "main")
    if committed:
        new.commit("Without the file")
    assert headway("init", new.folder).code == 0
    assert headway("check", new.folder).code == 0
    ended = headway("plan", new.folder)
    assert ended.code == 0
    assert "headway.yaml is in no commit yet, and Headway delivers commits: git add, git commit" in ended.err
    found = json.loads(headway("plan", new.folder, "--json").out)
    assert (found["revision"], found["images"]) == (None, ["web"])


def test_a_revision_that_is_asked_for_must_be_there(headway: Headway, new: Project) -> None:
    headway("init", new.folder)
    new.git("init", "-q", "-b", "main")
    ended = headway("plan", new.folder, "--revision", "v1")
    assert ended.code == 2
    assert "revision v1: there is none" in ended.err


def test_a_plan_says_what_would_not_be_delivered(headway: Headway, project: Project) -> None:
    project.write("new.py", "")
    ended = headway("plan", project.folder)
    assert ended.code == 0
    assert "not in the commit, so not delivered: new.py" in ended.err


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_a_folder_inside_the_project_will_do(
    headway: Headway, project: Project, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    (project.folder / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(project.folder / "src" / "deep")
    ended = headway(verb)
    assert ended.code == 0
    assert ended.out.startswith("shop")


def test_the_search_ends_at_the_root_of_the_repository(
    headway: Headway, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project.folder / "vendor"
    inner.mkdir()
    Project(inner).git("init", "-q")
    monkeypatch.chdir(inner)
    ended = headway("check")
    assert ended.code == 2
    assert "headway.yaml: there is no such file\n  next: headway init" in ended.err


def test_keys_of_ones_own_are_no_mistake(headway: Headway, project: Project) -> None:
    text = "x-web: &web {port: 8000}\n" + FILE.replace("{web: {port: 8000}}", "{web: {<<: *web, x-note: mine}}")
    project.write("headway.yaml", text)
    assert headway("check", project.folder).code == 0
