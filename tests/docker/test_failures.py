"""What the engine refuses is told in words that help: a full disk with what takes the space."""

from types import SimpleNamespace

import pytest
import urllib3
from docker.errors import APIError

from delivery.docker.engine.failures import reported
from delivery.docker.images import pulling
from delivery.docker.sandbox.sandbox import engine_errors
from delivery.errors import PlaceGone, Rejected
from delivery.home import Home

NO_SPACE = "write /var/lib/docker/tmp/layer: no space left on device"


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    """An engine whose disk has 12 MB left."""
    monkeypatch.setattr("delivery.docker.engine.disk.free_bytes", lambda: 12_000_000)
    monkeypatch.setattr(pulling, "connect", lambda host: SimpleNamespace(api=None))


@pytest.mark.parametrize("told", [lambda: reported("preparing the scanner"), engine_errors])
def test_an_engine_without_room_is_told_with_the_next_step(told):
    with pytest.raises(Rejected) as refusal, told():
        raise APIError("500", explanation=NO_SPACE)

    assert NO_SPACE in str(refusal.value)
    assert "the Docker engine's disk is full (0.0 GB left, 1 GB needed)\n  next: docker system df" in str(refusal.value)


def test_a_pull_that_finds_no_room_is_no_image_that_cannot_be_had(monkeypatch, tmp_path):
    monkeypatch.setattr(pulling, "_pull_events", lambda *_: iter([{"status": "pulling"}, {"error": NO_SPACE}]))

    with pytest.raises(Rejected, match=r"pulling python:3\.12: .*no space left(.|\n)*next: docker system df"):
        pulling.pull("python:3.12", Home(tmp_path), None, silence_seconds=1)


@pytest.mark.parametrize("told", [lambda: reported("scanning web"), engine_errors])
def test_an_engine_that_ends_in_the_middle_of_an_answer_may_come_back(told):
    with pytest.raises(PlaceGone, match="stopped answering"), told():
        raise urllib3.exceptions.ProtocolError("Connection broken")
