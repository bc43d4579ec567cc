"""A platform whose store another one uses as well: it ends what is its own."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.states import Running

from delivery.changes.heartbeat import FolderHeartbeats
from delivery.changes.processes import here
from delivery.ports.heartbeats import LIMIT_SECONDS, Heartbeat
from flows.recover import recover
from tasks import heartbeat
from tasks.known import current_environments
from tests.flows.test_recover import a_run, leave_half_done, slots, state_of
from tests.support.heartbeats import died

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

ELSEWHERE = here().model_copy(update={"hostname": "elsewhere", "boot": "another"})


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    """Nobody reports that a process of his has died."""
    monkeypatch.setattr("tasks.recover.REPORT_SECONDS", 0)


def elsewhere(seconds_ago):
    """Return what a run on another host, heard of so long ago, has in its heartbeat."""
    return {"where": ELSEWHERE, "at": datetime.now(UTC) - timedelta(seconds=seconds_ago)}


def beats(platform, run, seconds_ago, of=""):
    kept = FolderHeartbeats(platform.home.heartbeats)
    kept._write(died(kept.root, run, **elsewhere(seconds_ago), platform=of))


def test_a_change_of_a_run_on_another_host_is_left_alone_while_it_says_that_it_lives(platform):
    platform.put_live(1)
    release = leave_half_done(platform, 2, "stage", "shift")
    platform.leases.renew(platform.leases.read("shop", "production"))
    beats(platform, "dead", LIMIT_SECONDS / 2)
    while_it_lives = (platform.run(recover, {}).error, platform.host().observe().slot_of(release).weight)

    beats(platform, "dead", LIMIT_SECONDS + 1)
    run = platform.run(recover, {})

    assert while_it_lives == ([], 50)
    assert run.error[0] == f"withdraw of {release.fingerprint} done"


def test_a_change_of_another_platform_is_left_to_it_though_its_run_is_dead(platform):
    platform.put_live(1)
    release = leave_half_done(platform, 2, "stage", "shift")
    other = platform.leases_of(lease_seconds=-1, platform=lambda: "other")
    other.take("shop", "production", holder="dead", reason="release b", steal="dead")
    other.take("shop", "staging", holder="dead", reason="release b")
    before = slots(platform)

    run = platform.run(recover, {})

    assert run.error == []
    assert slots(platform) == before
    assert release in [found for found, _ in before]
    assert current_environments() == []
    assert [lease.holder for lease in platform.leases.all()] == ["dead", "dead"]


def test_a_dead_run_that_only_another_platforms_server_knows_is_left_to_it(platform):
    unknown = str(uuid4())
    beats(platform, unknown, LIMIT_SECONDS + 1, of="other")
    known = a_run(platform, Running())
    beats(platform, known, LIMIT_SECONDS + 1, of="other")

    platform.run(recover, {})

    kept = FolderHeartbeats(platform.home.heartbeats)
    assert [(found.run, found.attended) for found in kept.dead() if found.run == unknown] == [(unknown, False)]
    assert state_of(known) == "AwaitingRetry"  # of the same server: its machine may be gone for good


def test_a_run_says_that_it_lives_for_as_long_as_it_goes_on(platform, monkeypatch):
    monkeypatch.setattr(heartbeat, "RENEW_SECONDS", 0.01)
    kept = FolderHeartbeats(platform.home.heartbeats)

    def last() -> Heartbeat:
        found = kept.find("r1")
        assert found
        return found

    heartbeat.enter("r1")
    first = last()
    platform.until(lambda: last().at > first.at)
    heartbeat.leave("r1")

    assert kept.find("r1") is None
    assert first.platform == platform.home.identity
