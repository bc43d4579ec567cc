"""A project is checked before anything is built: the message says what to do, the exit code is 2."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import FILE, Headway, Project


def test_a_good_file_is_summed_up(headway: Headway, project: Project) -> None:
    ended = headway("check", project.folder)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "shop: 1 image, 1 service, 2 test cells; environments: staging, production\n"


def test_what_was_read_is_printed_as_data(headway: Headway, project: Project) -> None:
    found = json.loads(headway("check", project.folder, "--json").out)
    assert found["environments"]["production"]["shift"]["steps"][0] == {"percent": 50, "hold_seconds": 1}


def test_every_mistake_is_told_on_stderr(headway: Headway, project: Project) -> None:
    project.write("headway.yaml", FILE.replace("port", "prt").replace("after: staging", "after: stagin"))
    ended = headway("check", project.folder)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: headway.yaml: 2 mistakes\n  services.web.prt: there is no such key; did you m")
    assert "\n  environments.production.after: no such name (found stagin); allowed: staging" in ended.err
    assert "\n  next: every key is explained in docs/headway-yaml.md" in ended.err


@pytest.mark.parametrize("text", ["", "app: [", "- app"])
def test_a_file_that_is_none_is_told(headway: Headway, project: Project, text: str) -> None:
    project.write("headway.yaml", text)
    ended = headway("check", project.folder)
    assert ended.code == 2
    assert ended.err.startswith("error: headway.yaml: is ")


def test_a_missing_file_is_told_with_its_key(headway: Headway, project: Project) -> None:
    (project.folder / "Dockerfile").unlink()
    ended = headway("check", project.folder)
    assert ended.code == 2
    assert "images.web.dockerfile: there is no file Dockerfile" in ended.err


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_a_folder_without_the_file_is_told_how_to_make_one(headway: Headway, project: Project, verb: str) -> None:
    project.git("rm", "-q", "headway.yaml")
    project.commit("Close the shop")
    ended = headway(verb, project.folder)
    assert ended.code == 2
    assert "there is no such file\n  next: headway init" in ended.err


def test_a_folder_that_is_in_no_repository_is_told(headway: Headway, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    ended = headway("run", tmp_path / "plain")
    assert ended.code == 2
    assert "is not in a git repository" in ended.err
    assert "next: Headway delivers commits: git init, git add, git commit" in ended.err


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_unknown_revision_is_told_with_the_known_ones(headway: Headway, project: Project, verb: str) -> None:
    ended = headway(verb, project.folder, "--revision", "v2")
    assert ended.code == 2
    assert "revision v2: there is none" in ended.err
    assert "Open the shop" in ended.err


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_an_unknown_environment_is_told_with_the_known_ones(headway: Headway, project: Project, verb: str) -> None:
    ended = headway(verb, project.folder, "--environment", "live")
    assert ended.code == 2
    assert "environments.live: there is none; allowed: staging, production" in ended.err


def test_changes_that_would_not_be_delivered_are_named(headway: Headway, project: Project) -> None:
    for number in range(7):
        project.write(f"new{number}.py", "")
    ended = headway("run", project.folder)
    assert ended.code == 2
    assert "uncommitted changes in new0.py, new1.py, new2.py, new3.py, new4.py and 2 more" in ended.err
    assert "next: commit them, or add --allow-dirty to deliver the last commit without them" in ended.err


def test_nothing_is_started_for_a_bad_project(headway: Headway, project: Project, tmp_path: Path) -> None:
    project.write("headway.yaml", "app: [")
    headway("run", project.folder)
    assert not (tmp_path / "home" / "logs").exists()


def test_a_plan_shows_what_would_happen_and_changes_nothing(headway: Headway, project: Project) -> None:
    project.write("new.py", "")
    ended = headway("plan", project.folder)
    assert ended.code == 0
    assert ended.out.startswith(f"shop {project.git('rev-parse', 'HEAD')[:7]} Open the shop\n")
    assert "unit 1/2, unit 2/2" in ended.out
    assert "a person, within 60 s" in ended.out
    assert "50 % → 100 %" in ended.out
    assert "stand-ins  when-missing\n" in ended.out


def test_a_plan_is_printed_as_data(headway: Headway, project: Project) -> None:
    found = json.loads(headway("plan", project.folder, "--json").out)
    assert found["revision"]["sha"] == project.git("rev-parse", "HEAD")
    assert [one["environment"] for one in found["environments"]] == ["staging", "production"]
    assert (found["images"], found["cells"]) == (["web"], ["unit 1/2", "unit 2/2"])


def test_a_plan_says_that_the_machine_forbids_stand_ins(
    headway: Headway, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWAY_STAND_INS", "never")
    assert json.loads(headway("plan", project.folder, "--json").out)["stand_ins"] == "never"


def test_a_first_file_is_written_and_taken(headway: Headway, project: Project) -> None:
    (project.folder / "headway.yaml").unlink()
    written = headway("init", project.folder)
    assert written.code == 0
    assert "web listens on 8000, which Dockerfile exposes" in written.out
    assert "next: read it, then headway check" in written.out
    assert headway("check", project.folder).code == 0


def test_a_first_file_is_printed_as_data(headway: Headway, project: Project) -> None:
    (project.folder / "headway.yaml").unlink()
    found = json.loads(headway("init", project.folder, "--json").out)
    assert found["content"]["services"] == {"web": {"port": 8000}}
    assert found["file"] == str(project.folder / "headway.yaml")


def test_a_file_that_is_there_is_never_overwritten(headway: Headway, project: Project) -> None:
    ended = headway("init", project.folder)
    assert ended.code == 2
    assert "is there already\n  next: headway check; or remove it first" in ended.err
    assert (project.folder / "headway.yaml").read_text() == FILE


def test_a_folder_without_a_dockerfile_cannot_be_guessed(headway: Headway, tmp_path: Path) -> None:
    ended = headway("init", tmp_path)
    assert ended.code == 2
    assert "no Dockerfile was found, at most three folders deep" in ended.err
    assert not (tmp_path / "headway.yaml").exists()
