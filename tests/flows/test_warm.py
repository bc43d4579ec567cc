"""A release that was replaced stands ready to come back, for as long as the environment says and no longer."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from delivery.errors import Transient
from delivery.memory.behaviour import memory_state
from flows.recover import recover
from flows.rollback import rollback
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def kept(platform):
    """Release 2 took the place of release 1, which stands ready."""
    platform.describe(environments={"production": {"target": MEMORY, "keep_warm_seconds": 600}})
    platform.put_live(1)
    run = platform.put_live(2)
    assert run.state.is_completed(), run.ended
    return platform.release(1)


def running(platform):
    return {(slot.release.fingerprint, slot.weight) for slot in platform.host().observe().slots if slot.release}


def both(platform, live, beside):
    return {(platform.release(live).fingerprint, 100), (platform.release(beside).fingerprint, 0)}


def age(platform, seconds, now=None):
    memory_state("shop", "production").settled_at = (now or datetime.now(UTC)) - timedelta(seconds=seconds)


def fail_on(verb, error):
    def during(now):
        if now == verb:
            raise error

    return during


def test_what_was_replaced_stands_ready_and_is_not_half_done(platform, kept):
    done = platform.run(recover, {})

    assert running(platform) == both(platform, 2, 1)
    assert done.error == []
    assert platform.leases.read("shop", "production").holder is None
    lines = [entry.verb for entry in platform.journal().entries(2) if entry.stage == "done"]
    assert lines == ["stage", "shift", "settle"]


def test_a_rollback_meanwhile_takes_it_as_it_stands_and_keeps_the_other(platform, kept):
    run = platform.run(rollback, {"app": "shop"})

    assert run.state.is_completed(), run.ended
    assert running(platform) == both(platform, 1, 2)
    assert platform.happenings() == ["released", "released", "rolled-back"]


def test_it_is_retired_when_its_time_is_over(platform, kept, monkeypatch):
    now = datetime.now(UTC)
    monkeypatch.setattr("tasks.warm.datetime", SimpleNamespace(now=lambda zone: now))
    age(platform, 599, now)
    early = platform.run(recover, {})
    age(platform, 601, now)
    late = platform.run(recover, {})

    assert early.error == []
    assert late.error == [f"what {platform.release(2).fingerprint} replaced is retired"]
    assert running(platform) == {(platform.release(2).fingerprint, 100)}
    assert platform.leases.read("shop", "production").holder is None
    assert platform.run(recover, {}).error == []


def test_the_next_release_takes_its_place(platform, kept):
    platform.put_live(3)

    assert running(platform) == both(platform, 3, 2)


@pytest.mark.long
def test_it_is_left_alone_while_somebody_changes_the_environment(platform, kept):
    age(platform, 601)
    platform.leases.take("shop", "production", holder="run-9", reason="release c")

    assert platform.run(recover, {}).error == []
    assert running(platform) == both(platform, 2, 1)


@pytest.mark.long
def test_a_retirement_that_fails_is_finished_by_the_next_recovery(platform, kept):
    age(platform, 601)
    platform.behaviour().during = fail_on("retire", Transient("the host does not answer"))
    assert platform.run(recover, {}).state.is_failed()
    platform.behaviour().during = lambda verb: None
    expired = platform.leases_of(lease_seconds=-1)
    expired.renew(expired.read("shop", "production"))

    platform.run(recover, {})

    assert running(platform) == {(platform.release(2).fingerprint, 100)}


@pytest.mark.long
def test_a_release_that_dies_while_it_is_settled_is_finished(platform, kept):
    platform.behaviour().during = fail_on("settle", Transient("the host does not answer"))
    assert platform.put_live(3).state.is_failed()
    platform.behaviour().during = lambda verb: None
    expired = platform.leases_of(lease_seconds=-1)
    expired.renew(expired.read("shop", "production"))

    platform.run(recover, {})

    assert platform.live() == platform.release(3)
    assert platform.leases.read("shop", "production").holder is None
