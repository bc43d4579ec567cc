"""Who may change an environment, while several want to."""

import asyncio
from types import SimpleNamespace

import pytest

from delivery.errors import Rejected, Transient
from delivery.lease import LeaseBook
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("tasks.lease.POLL_SECONDS", 0.02)
    monkeypatch.setattr("flows.holding.RENEW_SECONDS", 0.02)


def when_busy(platform, policy):
    platform.describe(environments={"production": {"target": MEMORY, "busy": policy}})


def test_the_second_waits_and_says_for_whom(platform, monkeypatch):
    other = platform.leases.take("shop", "production", holder="run-1", reason="release a")
    said = []

    def say(text, *more):
        said.append(text % more)
        platform.leases.give_back(other)

    monkeypatch.setattr("tasks.lease.log", lambda: SimpleNamespace(info=say, warning=say))

    run = platform.put_live(2)

    assert run.state.is_completed(), run.ended
    assert said[0].startswith("waiting: production of shop is held by run-1 since")
    assert said[0].endswith("(release a)")


def test_who_waits_for_too_long_is_told_for_whom(platform, monkeypatch):
    monkeypatch.setattr("tasks.lease.WAIT_SECONDS", 0)
    platform.leases.take("shop", "production", holder="run-1", reason="release a")

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert "waited for 0 s: production of shop is held by run-1" in str(run.error)


def test_the_second_is_refused_by_policy(platform):
    when_busy(platform, "reject")
    platform.leases.take("shop", "production", holder="run-1", reason="release a")

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert "held by run-1" in str(run.error)
    assert platform.live() is None
    assert platform.leases.read("shop", "production").holder == "run-1"


def test_the_first_gives_way_to_a_newer_one_by_policy(platform):
    when_busy(platform, "supersede")
    first, second = platform.release(1), platform.release(2)
    seen = []

    def during(verb):
        seen.append(verb)
        if verb == "watch" and seen.count("watch") == 1:
            platform.until(lambda: platform.leases.read("shop", "production").superseded_by == "run-2")
            platform.until(lambda: "withdraw" in seen)

    platform.behaviour().during = during

    async def both():
        one = asyncio.ensure_future(platform.putting_live(first, "run-1"))
        await asyncio.to_thread(platform.until, lambda: "watch" in seen)
        return await asyncio.gather(one, platform.putting_live(second, "run-2"))

    given_way, newer = platform.loop.run(both())

    assert given_way.is_failed()
    assert "superseded by run-2" in given_way.message
    assert newer.is_completed()
    assert platform.live() == second
    assert platform.happenings() == ["withdrawn", "released"]


def test_a_run_that_loses_its_lease_is_stopped(platform):
    def steal() -> bool:
        short = LeaseBook(platform.home.leases, lease_seconds=-1)
        try:
            short.renew(short.read("shop", "production"))
            return platform.leases.take("shop", "production", holder="thief", reason="a test").holder == "thief"
        except (Transient, Rejected):
            return False

    seen = []

    def during(verb):
        seen.append(verb)
        if verb == "watch":
            platform.until(steal)
            platform.until(lambda: "withdraw" in seen)

    platform.behaviour().during = during

    run = platform.put_live(1)

    assert isinstance(run.error, Rejected)
    assert "the lease was lost: production of shop is held by thief" in str(run.error)
    assert platform.leases.read("shop", "production").holder == "thief"


def test_a_sleeper_changes_nothing_any_more(platform):
    live = platform.set_live(1)
    platform.host(sequence=7).stage(platform.app, live)  # a later holder was here

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert "obeyed lease 7 already" in str(run.error)
    assert platform.live() == live


def test_a_lease_that_cannot_be_renewed_for_long_is_as_good_as_lost(platform, monkeypatch):
    async def unreadable(lease):
        raise Transient("the lease was not renewed: input/output error")

    seen = []

    def during(verb):
        seen.append(verb)
        if verb == "watch":
            platform.until(lambda: "withdraw" in seen)

    monkeypatch.setattr("flows.holding.renew", unreadable)
    monkeypatch.setattr("flows.holding.LEASE_SECONDS", 0.1)
    platform.behaviour().during = during

    run = platform.put_live(1)

    assert isinstance(run.error, Rejected)
    assert "the lease ran out: the lease was not renewed" in str(run.error)
    assert platform.live() is None


def test_a_lease_that_cannot_be_given_back_costs_no_release(platform, monkeypatch):
    def unreadable(journal):
        raise OSError("input/output error")

    monkeypatch.setattr("tasks.lease.left_to_do", unreadable)

    run = platform.put_live(1)

    assert run.state.is_completed(), run.ended
    assert platform.live() is not None
    assert platform.leases.read("shop", "production").holder == "run-1"
