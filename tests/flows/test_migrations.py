"""Migrations are changes like every other: meant before, fenced, and ended before anybody else gets the environment."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from pydantic import ValidationError

from delivery.changes.journal import Entry
from delivery.docker.sandbox.sandbox import outlasting
from delivery.errors import Rejected
from delivery.memory.behaviour import Program, memory_state
from delivery.memory.environment import MemoryDatabase
from delivery.releases.order import Built
from delivery.spec.database import MOST_MIGRATION_SECONDS, Migration
from delivery.spec.suites import MOST_SUITE_SECONDS, Suite
from flows.recover import recover
from flows.release import put_live
from tasks.checks import run_check
from tasks.migration import migrate_database
from tasks.tests import run_acceptance, run_test_cell
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def place(platform, monkeypatch):
    monkeypatch.setattr("tasks.lease.POLL_SECONDS", 0.02)
    monkeypatch.setattr("flows.holding.RENEW_SECONDS", 0.02)
    migrate = {"image": "web", "timeout_seconds": 60}
    platform.describe(database={"migrate": migrate}, environments={"production": {"target": MEMORY}})
    platform.put_live(1)
    return memory_state("shop", "production")


def lines(platform, sequence):
    return [f"{one.verb} {one.stage}" for one in platform.journal().entries(sequence)]


def waits(place):
    """Let the next migration wait until it is given up, and return what was done to the environment."""
    seen, run = [], place.behaviour.run
    place.behaviour.during = seen.append
    first = [True]

    def migrate(job):
        return Program(waits=True) if first and first.pop() else run(job)

    place.behaviour.run = migrate
    return seen


def test_a_migration_is_meant_before_it_begins_and_its_end_is_written_down(platform, place):
    seen, run = [], place.behaviour.run
    place.behaviour.run = lambda job: (seen.extend(lines(platform, 2)), run(job))[1]

    assert platform.put_live(2).state.is_completed()

    assert seen[-1] == "migrate intent"
    assert lines(platform, 2)[:4] == ["start-database intent", "start-database done", "migrate intent", "migrate done"]


def test_a_migration_of_an_older_lease_is_refused(platform, place):
    platform.host(sequence=99).claim()
    migrated = len(platform.containers.databases["production"])

    run = platform.put_live(2)

    assert "obeyed lease 99 already; this change holds lease 2" in str(run.error)
    assert len(platform.containers.databases["production"]) == migrated


def test_a_lease_that_goes_as_the_migration_begins_ends_it(platform, place):
    migrated = len(platform.containers.databases["production"])
    claims = []

    def during(verb):
        if verb == "end migration" and not claims:  # the last thing before it is started
            claims.append(verb)
            place.sequence = 99

    place.behaviour.during = during

    run = platform.put_live(2)

    assert isinstance(run.error, Rejected)
    assert "obeyed lease 99 already" in str(run.error)
    assert len(platform.containers.databases["production"]) == migrated


def test_a_migration_whose_time_is_over_is_ended_and_the_environment_is_free(platform, place):
    platform.describe(
        database={"migrate": {"image": "web", "timeout_seconds": 1}}, environments={"production": {"target": MEMORY}}
    )
    seen = waits(place)

    run = platform.put_live(2)

    assert "did not end within 1 s" in str(run.error)
    assert lines(platform, 2)[-3:] == ["migrate failed", "end-migration intent", "end-migration done"]
    assert seen.count("end migration") >= 2
    assert platform.leases.read("shop", "production").holder is None
    assert platform.live() == platform.release(1)
    assert platform.put_live(3).state.is_completed()


def test_what_a_migration_left_half_done_is_dropped_once_nothing_of_it_works_on(platform, place, monkeypatch):
    platform.describe(
        database={"migrate": {"image": "web", "timeout_seconds": 1}}, environments={"production": {"target": MEMORY}}
    )
    seen = waits(place)
    monkeypatch.setattr(MemoryDatabase, "drop_unfinished", lambda _: (seen.append("drop"), ("public.titles",))[1])

    run = platform.put_live(2)

    assert "did not end within 1 s" in str(run.error)
    assert "dropped, for it was left half done: public.titles" in str(run.error)
    assert [before for before, what in pairwise(seen) if what == "drop"] == ["end migration", "end migration"]


@pytest.mark.parametrize(
    ("step", "most_seconds"),
    [
        (migrate_database, MOST_MIGRATION_SECONDS),
        (run_test_cell, MOST_SUITE_SECONDS),
        (run_acceptance, MOST_SUITE_SECONDS),
        (run_check, MOST_SUITE_SECONDS),
    ],
    ids=["migration", "cell", "acceptance", "check"],
)
def test_what_the_file_gives_a_time_may_take_it(step, most_seconds):
    assert step.timeout_seconds > most_seconds
    assert outlasting(most_seconds).total_seconds() > most_seconds


def test_a_time_that_no_step_outlasts_is_no_time():
    for refused in (MOST_MIGRATION_SECONDS + 1, 0):
        with pytest.raises(ValidationError):
            Migration(image="web", timeout_seconds=refused)
    with pytest.raises(ValidationError):
        Suite(image="web", timeout_seconds=MOST_SUITE_SECONDS + 1)


def test_a_migration_of_a_cancelled_run_is_ended_before_the_lease_goes(platform, place):
    seen = waits(place)
    held = []
    place.behaviour.during = lambda verb: (
        seen.append(verb),
        held.append(platform.leases.read("shop", "production").holder),
    )

    async def cancelled():
        run = asyncio.ensure_future(platform.putting_live(platform.release(2), "run-2"))
        await asyncio.to_thread(platform.until, lambda: place.migrating)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    platform.loop.run(cancelled())

    assert not place.migrating
    assert seen[-1] == "end migration"
    assert held[-1] == "run-2"
    assert lines(platform, 2)[-1] == "end-migration done"
    assert platform.leases.read("shop", "production").holder is None


def test_who_takes_the_environment_ends_the_migration_it_was_taken_from(platform, place):
    seen = waits(place)

    async def both():
        robbed = asyncio.ensure_future(platform.putting_live(platform.release(2), "run-2"))
        await asyncio.to_thread(platform.until, lambda: place.migrating)
        order = platform.order("run-3").model_copy(update={"steal": "run-2"})
        thief = put_live(order, Built(images=()), platform.release(3), "production", None, return_state=True)
        return await asyncio.gather(robbed, thief)

    robbed, thief = platform.loop.run(both())

    assert robbed.is_failed()
    assert "stolen by" in robbed.message
    assert thief.is_completed(), thief.message
    assert lines(platform, 3)[:2] == ["end-migration intent", "end-migration done"]
    assert seen.index("end migration") < seen.index("stage")
    assert platform.live() == platform.release(3)


def test_a_migration_whose_process_was_killed_is_ended_by_recovery(platform, place):
    release = platform.release(2)
    lease = platform.leases_of(lease_seconds=-1).take("shop", "production", holder="dead", reason="test")
    fields = {"app": "shop", "environment": "production", "sequence": lease.sequence, "run": "dead", "release": release}
    more = {"at": datetime.now(UTC), "verb": "migrate", "stage": "intent"}
    platform.journal().write(Entry.model_validate(fields | more))
    seen = []
    place.behaviour.during = seen.append

    run = platform.run(recover, {})

    assert run.error[0] == f"the migration to {release.fingerprint} is ended"
    assert seen == ["claim", "end migration"]
    assert platform.happenings() == ["released"]
    assert platform.leases.read("shop", "production").holder is None
    assert platform.put_live(2).state.is_completed()
