"""What doctor says of a machine."""

import pytest

from cli.doctor import _when_docker_dies


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
