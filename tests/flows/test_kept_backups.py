"""Backups that are kept, restored, and put behind the application."""

from datetime import timedelta

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Cancelled

from delivery.errors import Misconfigured, Rejected, ReleaseUnhealthy
from delivery.memory.behaviour import memory_state
from flows.backup import backup, kept_backups
from flows.remove import find_remains, remove
from flows.restore import drop_database, restore, use_database
from flows.verify_backup import verify_backups
from tasks.recover import unended_runs
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
WHERE = {"app": "shop", "environment": "production"}


@pytest.fixture
def place(platform):
    """A release is live, and the database has three rows."""
    policy = {"target": MEMORY, "watch": {"seconds": 0.1}, "backups": {"keep": 2}}
    platform.describe(database={"migrate": {"image": "web"}}, environments={"production": policy})
    platform.put_live(1)
    place = memory_state("shop", "production")
    place.databases["app"] = ("a", "b", "c")
    return place


def test_a_backup_by_hand_is_proven_and_shown(platform, place):
    kept, proof = platform.run(backup, WHERE).error

    [shown] = kept_backups("shop")
    assert (shown.name, shown.rows, shown.reason, shown.proven) == (kept.name, 3, "by hand", "proven")
    assert shown.proof == proof
    assert kept_backups("moon") == []


def test_every_migration_of_a_database_with_data_has_a_backup_before_it(platform, place):
    seen = []
    place.behaviour.during = seen.append

    assert platform.put_live(2).state.is_completed()

    [kept] = kept_backups("shop")
    assert (kept.reason, kept.rows, kept.run) == ("before a migration", 3, "run-2")
    assert seen.index("back up") < seen.index("stage")


@pytest.mark.long
def test_who_wants_none_before_a_migration_says_so(platform, place):
    policy = {"target": MEMORY, "backups": {"before_migration": False}}
    platform.describe(database={"migrate": {"image": "web"}}, environments={"production": policy})

    assert platform.put_live(2).state.is_completed()

    assert kept_backups("shop") == []


@pytest.mark.long
def test_a_backup_that_fails_stops_the_migration_it_was_for(platform, place):
    def fail(verb):
        if verb == "back up":
            raise Rejected("the backup failed")

    place.behaviour.during = fail
    migrated = len(platform.containers.databases["production"])

    run = platform.put_live(2)

    assert str(run.error) == "the backup failed"
    assert len(platform.containers.databases["production"]) == migrated
    assert platform.live() == platform.release(1)


@pytest.mark.long
def test_as_many_are_kept_as_the_file_says_and_none_of_other_reasons_goes_for_them(platform, place):
    by_hand, _ = platform.run(backup, WHERE).error
    for _ in range(3):
        platform.run(verify_backups, {})

    assert [one.reason for one in kept_backups("shop")] == ["by schedule", "by schedule", "by hand"]
    assert kept_backups("shop")[-1].name == by_hand.name


@pytest.mark.long
def test_a_backup_is_restored_beside_the_database_in_use(platform, place):
    kept, _ = platform.run(backup, WHERE).error
    place.databases["app"] = ("after",)

    restored, replaced = platform.run(restore, {**WHERE, "backup": kept.name, "into": "before"}).error

    assert (restored.rows, replaced) == (3, None)
    assert place.databases == {"app": ("after",), "before": ("a", "b", "c")}
    last = platform.journal().entries()[-2:]
    assert [(one.verb, one.stage, one.detail) for one in last] == [
        ("restore", "intent", f"{kept.name} into before"),
        ("restore", "done", f"{kept.name} into before"),
    ]
    assert platform.leases.read("shop", "production").holder is None


def test_a_database_that_was_lost_is_back_behind_the_application(platform, place):
    kept, _ = platform.run(backup, WHERE).error
    place.database, place.databases = None, {}

    restored, replaced = platform.run(restore, {**WHERE, "backup": "latest"}).error

    assert (restored.backup, place.databases["app"]) == (kept.name, ("a", "b", "c"))
    assert place.databases[replaced.kept_as] == ()
    assert platform.live() == platform.release(1)


@pytest.mark.long
def test_a_restored_database_that_the_application_is_not_well_with_goes_back(platform, place, monkeypatch):
    monkeypatch.setattr("tasks.database.RECOVER_SECONDS", 0)
    platform.describe(
        services={"web": {"port": 8000, "start_seconds": 1}},
        database={"migrate": {"image": "web"}},
        environments={"production": {"target": MEMORY}},
    )
    platform.put_live(3)
    place.databases |= {"app": ("good",), "other": ("bad",)}
    live = platform.release(3).fingerprint

    def be(verb):
        if verb == "use other":
            place.behaviour.answers[live, "/"] = 500

    place.behaviour.during = be

    run = platform.run(use_database, {**WHERE, "name": "other"})

    assert isinstance(run.error, ReleaseUnhealthy)
    assert "uses the database of before again" in str(run.error)
    assert place.databases["app"] == ("good",)


def test_an_older_lease_changes_no_database(platform, place):
    platform.host(sequence=99).claim()
    place.databases["other"] = ()

    run = platform.run(use_database, {**WHERE, "name": "other"})

    assert "obeyed lease 99 already" in str(run.error)
    assert place.databases["app"] == ("a", "b", "c")


@pytest.mark.long
def test_a_database_beside_the_one_in_use_is_dropped_and_that_one_never(platform, place):
    place.databases["other"] = ()

    assert platform.run(drop_database, {**WHERE, "name": "other"}).state.is_completed()
    refused = platform.run(drop_database, {**WHERE, "name": "app"})

    assert isinstance(refused.error, Misconfigured)
    assert list(place.databases) == ["app"]


@pytest.mark.long
def test_a_removed_environment_leaves_its_backups_unless_they_are_named(platform, place):
    with get_client(sync_client=True) as client:  # the server is that of all tests
        for run in unended_runs(client):
            client.set_flow_run_state(run.id, Cancelled(), force=True)
    platform.run(backup, WHERE)
    [remains] = find_remains("shop").environments
    gone = {"app": "shop", "environments": ["production"]}

    platform.run(remove, gone)
    kept = dict(place.backups)
    platform.put_live(1)
    removed = platform.run(remove, {**gone, "backups": True}).error

    assert (remains.backups, len(kept)) == (1, 1)
    assert f"backup {next(iter(kept))}" in removed
    assert place.backups == {}


@pytest.mark.long
def test_the_night_keeps_what_is_old_when_nothing_newer_is_proven(platform, place):
    kept, _ = platform.run(backup, WHERE).error
    old = kept.model_copy(update={"at": kept.at - timedelta(days=400)})
    place.backups[kept.name] = place.backups[kept.name][0].model_copy(update={"at": old.at}), ("a",)
    platform.containers.damaged.add("production")

    run = platform.run(verify_backups, {})

    assert isinstance(run.error, Rejected)
    assert {one.proven for one in kept_backups("shop")} == {"proven", "damaged"}
