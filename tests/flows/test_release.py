"""Blue-green into an environment, and back out of it whatever happens."""

import asyncio
import functools
import threading
from datetime import UTC, datetime

import httpx
import pytest
from prefect.blocks.core import Block

from delivery.errors import ReleaseUnhealthy, Transient
from delivery.ports.store import FolderStore
from delivery.report.markdown import report_markdown
from flows import runs
from flows.overview import look_at
from tests.flows.platform import DEADLINE_SECONDS, MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

CANARY = {"production": {"target": MEMORY, "shift": {"canary": {"percent": 10, "hold_seconds": 1}}}}


@pytest.fixture
def live(platform):
    """Release 1 is live, and the next one goes in by ten percent first."""
    platform.describe(environments=CANARY)
    platform.put_live(1)
    return platform.live()


def is_as_before(platform, live) -> bool:
    slots = platform.host().observe().slots
    return [(slot.release, slot.weight) for slot in slots if slot.release] == [(live, 100)]


def test_a_release_goes_live_in_the_steps_of_its_plan(platform, live):
    platform.put_live(2)

    lines = [f"{entry.verb} {entry.detail}".strip() for entry in platform.journal().entries(2) if entry.stage == "done"]
    assert lines == ["stage", "shift 10 %", "shift 100 %", "retire"]
    assert platform.live() == platform.release(2)


def test_a_release_that_does_not_become_healthy_is_withdrawn(platform, live):
    platform.behaviour().never_healthy.add(platform.release(2).fingerprint)

    run = platform.put_live(2)

    assert isinstance(run.error, ReleaseUnhealthy)
    assert is_as_before(platform, live)
    assert platform.happenings() == ["released", "withdrawn"]


def test_a_release_that_fails_its_users_is_withdrawn(platform, live):
    platform.behaviour().error_percent[platform.release(2).fingerprint] = 40

    run = platform.put_live(2)

    assert "production: unhealthy: 40 of 100 requests failed" in str(run.error)
    assert is_as_before(platform, live)


def test_a_release_that_serves_something_else_is_withdrawn(platform, live):
    platform.behaviour().serves_another_version.add(platform.release(2).fingerprint)

    run = platform.put_live(2)

    assert "serves another version" in str(run.error)
    assert is_as_before(platform, live)


def test_a_watch_that_saw_nothing_is_no_pass(platform, live):
    platform.behaviour().requests = 0

    run = platform.put_live(2)

    assert "inconclusive" in str(run.error)
    assert is_as_before(platform, live)


def test_a_watch_that_saw_nothing_may_pass_by_policy(platform):
    watch = {"when_inconclusive": "continue"}
    platform.describe(environments={"production": {"target": MEMORY, "watch": watch}})
    platform.behaviour().requests = 0

    run = platform.put_live(1)

    assert run.state.is_completed()


def cancel_while(platform, during):
    """Put release 2 live until `during`, which is called at each verb with the verb and a way to cancel, cancels it."""
    release = platform.release(2)

    async def carry() -> None:
        carried = asyncio.ensure_future(platform.putting_live(release, "run-2"))
        cancel = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, carried.cancel)
        platform.behaviour().during = lambda verb: during(verb, cancel)
        await carried

    with pytest.raises(asyncio.CancelledError):
        platform.loop.run(carry())


def test_a_cancelled_run_leaves_no_traffic_half_shifted(platform, live):
    cancel_while(platform, lambda verb, cancel: verb == "watch" and cancel())

    assert is_as_before(platform, live)
    assert platform.leases.read("shop", "production").holder is None


@pytest.mark.long
def test_what_a_cancelled_step_still_makes_is_withdrawn_as_well(platform, live):
    withdrawing = threading.Event()

    def during(verb, cancel):
        if verb == "stage":
            cancel()
            withdrawing.wait(0.5)  # the step is cancelled; its thread is still at work
        if verb == "withdraw":
            withdrawing.set()

    cancel_while(platform, during)

    assert is_as_before(platform, live)


def test_a_cancelled_stage_is_given_up_before_it_is_withdrawn(platform, live):
    given_up, seen = threading.Event(), []

    def during(verb, cancel):
        if verb == "stage":
            cancel()
            seen.append(given_up.wait(DEADLINE_SECONDS))
        if verb == "give up":
            given_up.set()

    cancel_while(platform, during)

    assert seen == [True]
    assert is_as_before(platform, live)


def test_what_cannot_be_withdrawn_is_told_and_left_to_recovery(platform, live):
    release = platform.release(2)
    platform.behaviour().error_percent[release.fingerprint] = 40
    platform.behaviour().during = failing("withdraw", Transient("the host does not answer"))

    run = platform.put_live(2)

    assert isinstance(run.error, ReleaseUnhealthy)
    assert "unhealthy: 40 of 100" in str(run.error)
    assert "it is not withdrawn yet: the host does not answer" in str(run.error)
    left = platform.leases.read("shop", "production")
    assert (left.holder, left.is_abandoned(datetime.now(UTC))) == ("run-2", True)  # nobody waits for it to run out


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it looks at the files
def test_traffic_is_put_right_although_nothing_can_be_written_down(platform, live, monkeypatch):
    def full(self: FolderStore, key: str, content: bytes) -> str:
        raise OSError("no space left on device")

    platform.release(2)
    platform.behaviour().during = lambda verb: verb == "shift" and monkeypatch.setattr(FolderStore, "put", full)

    run = platform.put_live(2)

    assert "no space left" in str(run.error)
    assert is_as_before(platform, live)


def test_traffic_is_put_right_although_the_prefect_server_is_away(platform, live, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise httpx.ConnectError("connection refused")

    platform.behaviour().error_percent[platform.release(2).fingerprint] = 40
    platform.behaviour().during = lambda verb: verb == "watch" and monkeypatch.setattr(Block, "load", away)

    run = platform.put_live(2)

    assert isinstance(run.error, ReleaseUnhealthy)
    assert "unhealthy: 40 of 100" in str(run.error)
    assert is_as_before(platform, live)
    assert platform.happenings() == ["released", "withdrawn"]


def test_what_is_live_and_who_changes_it_can_be_looked_at(platform, live):
    view = look_at(platform.app, "production")

    assert view.state.live.release == live
    assert not view.busy
    assert not view.problem


def failing(verb: str, error: Exception):
    def during(now: str) -> None:
        if now == verb:
            raise error

    return during


def test_what_is_lost_with_each_release_is_told_in_the_log_and_in_the_report(platform):
    lost = "services.web writes to /app/uploads (12 files), which are lost with each release"
    platform.behaviour().losses = (lost,)

    run = platform.deliver()

    platform.until(lambda: any(lost in line for line in runs.look(run.id).warnings))
    assert platform.record(run.id).losses == (f"production: {lost}",)
    assert f"production: {lost}" in report_markdown(platform.record(run.id)).replace("\\", "")


@pytest.mark.long
def test_a_release_does_not_fail_because_nobody_can_tell_what_is_lost(platform, monkeypatch):
    def fail(*_):
        raise OSError("the engine is busy")

    monkeypatch.setattr("delivery.memory.target.MemoryHost.losses", fail)

    assert platform.deliver().state.is_completed()
