"""Who may change an environment, while several want to."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from delivery.errors import Rejected, ReleaseUnhealthy, Transient
from delivery.report.markdown import report_markdown
from flows.overview import look_at
from flows.rollback import rollback
from tests.flows.platform import DEADLINE_SECONDS, MEMORY

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
    assert "superseded by shop " in given_way.message
    assert "→ production (run run-2)" in given_way.message
    assert newer.is_completed()
    assert platform.live() == second
    assert platform.happenings() == ["withdrawn", "released"]


@pytest.fixture
def taken_over(platform):
    """Return how a run that watched for ever ended, and how the rollback that took it over did."""
    platform.put_live(1)
    platform.put_live(2)
    third, seen = platform.release(3), []

    def during(verb):
        seen.append(verb)
        if verb == "watch" and seen.count("watch") == 1:
            platform.until(lambda: "withdraw" in seen)

    platform.behaviour().during = during

    async def both():
        one = asyncio.ensure_future(platform.putting_live(third, "run-3"))
        await asyncio.to_thread(platform.until, lambda: "watch" in seen)
        taker = platform.create(rollback, {"app": "shop", "steal": "run-3"})
        return await asyncio.gather(one, platform.carrying(rollback, taker))

    return platform.loop.run(both())


def test_an_environment_is_taken_from_the_run_that_holds_it(platform, taken_over):
    ended, taker = taken_over

    assert ended.is_failed()
    name = f"shop rollback to {platform.release(1).revision.short} → production (run {taker.id[:8]})"
    assert f"stolen by {name}: production was stolen from shop " in ended.message
    assert "→ production (run run-3) (release" in ended.message
    assert taker.state.is_completed(), taker.ended
    assert platform.live() == platform.release(2)  # the one before that which had all traffic when it was asked for
    assert platform.host().observe().slot_of(platform.release(3)) is None
    assert platform.happenings() == ["released", "released", "withdrawn", "rolled-back"]


@pytest.mark.long
def test_a_takeover_is_on_record(platform, taken_over):
    _, taker = taken_over

    record = platform.record(taker.id)
    assert [(takeover.taken_from, takeover.by) for takeover in record.takeovers] == [("run-3", taker.id)]
    assert "→ production (run run-3) (release" in report_markdown(record)
    assert look_at(platform.app, "production").lease.was_taken_over


@pytest.mark.long
def test_a_run_that_was_not_named_is_waited_for(platform, monkeypatch):
    monkeypatch.setattr("tasks.lease.WAIT_SECONDS", 0)
    platform.put_live(1)
    platform.put_live(2)
    platform.leases.take("shop", "production", holder="another", reason="release c")

    run = platform.run(rollback, {"app": "shop", "steal": "run-3"})

    assert run.ended[0] == "Rejected"
    assert "held by another" in run.ended[1]
    assert platform.live() == platform.release(2)


def test_the_former_holder_begins_nothing_more_before_it_hears_of_it(platform, monkeypatch):
    live = platform.set_live(1)
    monkeypatch.setattr("flows.holding.RENEW_SECONDS", 3600)
    held = []

    def during(verb):
        if verb == "stage":
            held.append(platform.leases.read("shop", "production"))
            platform.leases.take("shop", "production", holder="thief", reason="a test", steal="run-2")

    platform.behaviour().during = during

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert str(run.error).startswith("stolen by thief")
    assert platform.live() == live
    done = [(entry.verb, entry.stage) for entry in platform.journal().entries(held[0].sequence)]
    assert done == [("stage", "intent"), ("stage", "done")]


def test_a_change_without_its_lease_says_so_whatever_it_stumbles_upon(platform):
    platform.set_live(1)

    def during(verb):
        if verb == "shift":
            platform.leases.take("shop", "production", holder="thief", reason="a test", steal="run-2")
            raise ReleaseUnhealthy("the release does not stand in any slot")

    platform.behaviour().during = during

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert str(run.error).startswith("stolen by thief")


def test_a_run_that_loses_its_lease_is_stopped(platform):
    def steal() -> bool:
        short = platform.leases_of(lease_seconds=-1)
        try:
            short.renew(short.read("shop", "production"))
            return platform.leases.take("shop", "production", holder="thief", reason="a test").holder == "thief"
        except (Transient, Rejected):
            return False

    stopped = threading.Event()

    def during(verb):
        if verb == "watch":
            platform.until(steal)
            stopped.wait(DEADLINE_SECONDS)
            raise Transient("nobody waits for this watch any more")

    platform.behaviour().during = during

    run = platform.put_live(1)
    stopped.set()

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
