"""What doctor says of a machine."""

from pathlib import Path

import pytest

from cli.doctor import _git, _when_docker_dies
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
