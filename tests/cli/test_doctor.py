"""What doctor says of a machine."""

import json
from pathlib import Path

import pytest

from cli.doctor import _disks, _git, _no_docker, _registry, _stopped, _when_docker_dies
from delivery.docker.images.registry_state import RegistryRecord, write_record
from delivery.docker.target.lifecycle import ExitedContainer
from delivery.home import Home
from delivery.platform.engine import HostFacts
from delivery.programs.git_command import check_version
from tests.support.disks import fill, make_read_only, small_disk


@pytest.mark.parametrize(("version", "state"), [("2.20.1", "missing"), ("2.31.0", "ok"), ("3.0.windows.1", "ok")])
def test_a_git_that_is_too_old_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, state: str
) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\necho git version {version}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    check_version.cache_clear()

    assert _git().state == state
    check_version.cache_clear()


@pytest.mark.parametrize(
    ("live_restore", "state", "found", "next_step"),
    [
        (True, "ok", "live on", ""),
        (False, "warning", "live-restore is off", '"live-restore": true'),
    ],
)
def test_an_engine_that_takes_its_containers_with_it_is_told_of(monkeypatch, live_restore, state, found, next_step):
    monkeypatch.setattr("delivery.platform.engine.is_live_restored", lambda: live_restore)

    finding = _when_docker_dies()

    assert finding.state == state
    assert found in finding.found
    assert next_step in finding.next_step


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def finding(found, what):
    return next(one for one in found if one.what == what)


def test_an_engine_that_is_being_restarted_is_starting_and_not_missing(monkeypatch):
    monkeypatch.setattr("delivery.docker.engine.engine_state.is_on_its_way", lambda: True)

    seen = _no_docker()

    assert (seen.state, seen.found) == ("warning", "starting: it does not answer yet")


def test_an_engine_that_this_user_may_not_use_is_told_with_the_next_step(monkeypatch):
    monkeypatch.setattr("delivery.docker.engine.engine_state.is_on_its_way", lambda: False)
    monkeypatch.setattr("delivery.platform.engine._look", lambda: HostFacts(socket_denied=True, root=False))

    seen = _no_docker()

    assert (seen.state, "may not use it" in seen.found) == ("missing", True)
    assert "usermod -aG docker" in seen.next_step


@pytest.mark.docker
def test_a_registry_that_is_gone_is_told_with_the_next_step(home):
    never = _registry(home)
    home.root.mkdir()
    write_record(home, RegistryRecord(port=5000))
    assert home.identity

    gone = _registry(home)

    assert [(one.state, one.found, one.next_step) for one in never] == [
        ("warning", "it was never started", "headway up")
    ]
    assert [(one.state, one.found) for one in gone] == [
        ("warning", "127.0.0.1:5000: its container was removed, and the volume with all its images")
    ]
    assert "headway up" in gone[0].next_step


@pytest.mark.docker
def test_the_homes_disk_and_dockers_are_two_where_they_are_two(home):
    with small_disk(home.root):
        apart = _disks(home)

    assert [one.what for one in apart] == ["disk of the home", "disk of Docker"]
    assert (apart[0].state, str(home.root) in apart[0].found) == ("warning", True)
    assert apart[0].next_step == "free at least 5 GiB"


def test_a_full_home_and_a_read_only_one_are_missing_and_the_rest_is_still_told(headway, home, monkeypatch):
    monkeypatch.setattr("cli.doctor._docker", lambda home: [])
    monkeypatch.setattr("cli.doctor._engine_disk", lambda home: [])
    with small_disk(home.root) as root:
        fill(root)
        full = headway("doctor", "--json")
        make_read_only(root)
        read_only = headway("doctor", "--json")

    for ended, reason in ((full, "the disk is full"), (read_only, "it is mounted read-only")):
        told = {one["what"]: one for one in json.loads(ended.out)}
        assert (ended.code, list(told)) == (2, ["Python", "git", "disk of the home"])
        assert f"{root} cannot be written: {reason}" in told["disk of the home"]["found"]
        assert told["disk of the home"]["next_step"]


@pytest.mark.parametrize("command", ["up", "run"])
def test_a_command_in_a_full_home_says_so_and_is_no_traceback(headway, home, project, command):
    with small_disk(home.root) as root:
        fill(root)
        ended = headway(*([command, project.folder] if command == "run" else [command]))

    assert (ended.code, f"{root} cannot be written: the disk is full" in ended.err) == (1, True)
    assert "  next: free space in" in ended.err
    assert "Traceback" not in ended.err


def test_a_container_that_cannot_be_started_is_told_of_with_its_environment_and_why(tmp_path, monkeypatch):
    home, exited = (
        Home(tmp_path),
        ExitedContainer(id="1", name="headway-shop-router", app="shop", environment="production"),
    )
    monkeypatch.setattr("delivery.docker.target.lifecycle.find_exited", lambda home: [exited])
    monkeypatch.setattr("delivery.docker.target.lifecycle.last_reason", lambda one: "port is already allocated")
    assert _stopped(home) == []
    home.up.touch()

    [finding] = _stopped(home)

    assert (finding.what, finding.state) == ("production of shop", "warning")
    assert finding.found == "headway-shop-router does not run: port is already allocated"
    assert "docker start headway-shop-router" in finding.next_step
