"""What stands on an engine: one container that cannot start, or is just removed, keeps nobody from anything."""

import socket

import pytest

from delivery.changes.ledger import environment_labels
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.docker.target.lifecycle import (
    find_exited,
    last_reason,
    pause_environments,
    purge_environments,
    resume_environments,
    start_exited,
)
from tests.support.platforms import own_platform

pytestmark = pytest.mark.docker


@pytest.fixture
def home(tmp_path):
    with own_platform(tmp_path / "platform") as home:
        yield home


@pytest.fixture
def taken():
    """A port of this machine that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def running(home, app, role="instance", **options):
    names = EnvironmentNames(home.identity, app, "production")
    return connect().containers.create(
        resolve_base("busybox:1.36", home=home).used,
        ["sleep", "600"],
        name=f"{names.backbone}-{role}",
        labels=environment_labels(home.identity, app, "production", role),
        init=True,
        **options,
    )


def status(container):
    container.reload()
    return container.status


def test_a_container_that_cannot_start_keeps_no_other_application_from_starting(home, taken):
    broken = running(home, "moon", "database", ports={"80/tcp": ("127.0.0.1", taken)})
    other = running(home, "shop")
    told = []

    names = resume_environments(home, tell=told.append)

    assert names == ["production of moon", "production of shop"]
    assert status(other) == "running"
    assert len(told) == 1
    assert told[0].startswith(f"{broken.name} (production of moon) cannot be started: ")
    assert str(taken) in told[0]


def test_a_container_that_ended_and_cannot_start_is_told_and_the_others_are_started(home, taken):
    other = running(home, "shop")
    other.start()
    other.kill()
    other.wait()
    broken = running(home, "moon", "database", network="none")
    broken.start()
    broken.kill()
    broken.wait()
    connect().networks.create(f"headway-{home.identity}-gone", labels={"headway.platform": home.identity}).connect(
        other
    )
    connect().networks.list(names=[f"headway-{home.identity}-gone"])[0].remove()
    found = find_exited(home)

    reasons = start_exited(found)

    assert {one.name for one in found} == {other.name, broken.name}
    assert list(reasons) == [other.id]
    assert status(broken) == "running"
    assert "network" in last_reason(next(one for one in found if one.id == other.id))


def test_a_container_that_another_run_removes_meanwhile_is_not_missed(home, monkeypatch):
    gone, other = running(home, "moon", "database"), running(home, "shop")
    listed = connect().containers.list(all=True, filters={"label": f"headway.platform={home.identity}"})
    monkeypatch.setattr("delivery.docker.target.lifecycle._containers", lambda client, home: listed)
    gone.remove(force=True)
    told = []

    resume_environments(home, tell=told.append)
    began = status(other)
    for container in listed:
        container.attrs["State"] = "running"
    pause_environments(home)

    assert (told, began, status(other)) == ([], "running", "exited")
    purge_environments(home)
