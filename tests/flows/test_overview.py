"""All environments are seen side by side; one that does not answer is told as such, and hides none of the others."""

import threading
from datetime import UTC, datetime

import pytest

from delivery.errors import Rejected
from flows.marks import freeze
from flows.overview import environments, within
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def hangs():
    """Something that does not answer until the test is over."""
    waiting = threading.Event()
    yield waiting.wait
    waiting.set()


def test_what_takes_too_long_is_left_behind(hangs):
    assert within(0.5, [lambda: "here", hangs]) == ["here", None]


def test_what_fails_is_raised_and_not_told_as_silence():
    def fail():
        raise Rejected("no")

    with pytest.raises(Rejected, match="no"):
        within(5, [fail, lambda: "here"])


@pytest.mark.long
def test_an_environment_that_does_not_answer_is_told_beside_those_that_do(platform, hangs, monkeypatch):
    platform.describe(environments={"staging": {"target": MEMORY}, "production": {"target": MEMORY}})
    platform.put_live(1)
    platform.put_live(1, "staging")
    freeze("shop", "staging", by="ana", reason="sale", until=None, now=datetime.now(UTC))
    observe = type(platform.host()).observe
    monkeypatch.setattr(
        "delivery.memory.target.MemoryHost.observe",
        lambda host: hangs() if host.url.endswith("staging") else observe(host),
    )

    production, staging = environments("shop", look_seconds=5)

    assert production.state.live.release == platform.release(1)
    assert (staging.state, staging.problem) == (None, "did not answer within 5 s")
    assert (production.frozen, staging.frozen.reason) == (None, "sale")
