"""What doctor says of a machine."""

from pathlib import Path

import pytest

from cli.doctor import _git, _stopped, _when_docker_dies
from delivery.containers.standing import Standing
from delivery.home import Home
from delivery.programs.git_command import check_version


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


def test_a_container_that_cannot_be_started_is_told_of_with_its_environment_and_why(tmp_path, monkeypatch):
    home, fallen = Home(tmp_path), Standing(id="1", name="headway-shop-router", app="shop", environment="production")
    monkeypatch.setattr("delivery.containers.standing.find_fallen", lambda home: [fallen])
    monkeypatch.setattr("delivery.containers.standing.last_reason", lambda one: "port is already allocated")
    assert _stopped(home) == []
    home.up.touch()

    [finding] = _stopped(home)

    assert (finding.what, finding.state) == ("production of shop", "warning")
    assert finding.found == "headway-shop-router does not run: port is already allocated"
    assert "docker start headway-shop-router" in finding.next_step
