"""What restores showed is kept, held against the policy, and fails the night when it is not as it should be."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prefect import task

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.restores import RestoreHistory
from delivery.errors import Misconfigured, Rejected, Transient
from delivery.memory.behaviour import memory_state
from delivery.ports.drills import Drill
from flows.backup import backup, backup_ages, left_behind_by
from flows.overview import environments
from flows.restore import restore, restore_elsewhere
from flows.verify_backup import verify_backups
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
WHERE = {"app": "shop", "environment": "production"}


def describe(platform, **backups):
    production = {"target": MEMORY, "watch": {"seconds": 0}, "backups": backups}
    web = {"port": 8000, "volumes": {"uploads": "/data"}}
    platform.describe(database={}, services={"web": web}, environments={"production": production})


@pytest.fixture
def place(platform):
    """A function that makes production live with this policy, and returns what stands there."""

    def live(**backups):
        describe(platform, **backups)
        assert platform.put_live(1).state.is_completed()
        return memory_state("shop", "production")

    return live


def history():
    return RestoreHistory(current_store(), "shop", "production").newest()


def outcomes():
    return [(one.kind, one.outcome) for one in reversed(history())]


def test_every_proof_drill_and_restore_is_kept_with_its_figures(platform, place):
    state = place(any_second=True)
    state.behaviour.has_second_place = True
    state.behaviour.drill = lambda: Drill(at=datetime.now(UTC), outcome="pass", rto_seconds=4)
    night = platform.run(verify_backups, {})
    platform.run(restore, {**WHERE, "backup": "latest", "into": "before"})

    assert night.state.is_completed(), night.ended
    assert outcomes() == [
        ("proof", "pass"),
        ("drill", "pass"),
        ("drill in a second place", "pass"),
        ("restore", "pass"),
    ]
    assert [one.rto_seconds for one in history()] == [0.1, 0.3, 4, 0.2]
    assert history()[1].where == "another part of memory"
    assert {one.run for one in history()[1:]} == {night.id}


def test_one_that_an_error_ended_is_kept_as_a_failure_and_hides_none_of_the_others(platform, place):
    state = place(any_second=True)
    state.behaviour.has_second_place = True

    def fail():
        raise RuntimeError("the restore fell over")

    state.behaviour.drill = fail
    platform.containers.damaged.add("production")
    night = platform.run(verify_backups, {})

    assert outcomes() == [("proof", "fail"), ("drill", "fail"), ("drill in a second place", "pass")]
    assert history()[1].problems == ("the restore fell over",)
    for said in (
        "production of shop: ",
        "cannot be restored as it was",
        "RuntimeError: the restore fell over",
        "next: headway backups",
    ):
        assert said in str(night.error)


def test_an_attempt_that_is_made_again_is_none_of_its_own(platform, place):
    place()
    platform.containers.fail("restore production", Transient("no answer"))

    assert platform.run(verify_backups, {}).state.is_completed()
    assert outcomes() == [("proof", "pass")]


def test_a_restore_that_hangs_is_a_failure_too(platform, place, monkeypatch):
    place()

    @task(timeout_seconds=0.1)
    async def hang(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr("flows.verify_backup.prove_backup", hang)
    night = platform.run(verify_backups, {})

    assert "production of shop: the proof of production did not end: " in str(night.error)
    assert outcomes() == [("proof", "fail")]


def test_a_restore_over_its_limit_fails_the_night_and_says_limit_and_found(platform, place):
    place(drill={"rto_seconds": 0.15})

    night = platform.run(verify_backups, {})

    says = "RTO 0.2 s, at most 0.15 s (environments.production.backups.drill.rto_seconds)"
    assert isinstance(night.error, Rejected)
    assert f"the backup of production cannot be restored within its limits: {says}" in str(night.error)
    assert (history()[0].outcome, history()[0].problems) == ("fail", (says,))


def test_a_drill_that_could_not_check_something_fails_no_night_and_is_no_pass(platform, place):
    state = place(any_second=True)
    state.behaviour.drill = lambda: Drill(at=datetime.now(UTC), outcome="unknown", unchecked=("pages",))

    assert platform.run(verify_backups, {}).state.is_completed()
    assert outcomes()[-1] == ("drill", "unknown")


def test_where_a_moment_was_asked_for_and_nothing_is_archived_the_drill_is_unknown(platform, place):
    place(any_second=True)

    assert platform.run(verify_backups, {}).state.is_completed()
    assert outcomes()[-1] == ("drill", "unknown")
    assert history()[0].unchecked == (
        "not checked: any moment: nothing is archived there, although backups.any_second is on",
    )


def test_damaged_backups_alone_count_as_none_since_the_environment_came(platform, place, monkeypatch):
    state = place(newest_hours=24)
    platform.containers.damaged.add("production")
    assert platform.run(backup, WHERE).state.is_failed()
    began = datetime.now(UTC) - timedelta(hours=40)
    monkeypatch.setattr(Archive, "began", lambda *_: began)

    says = "there is no backup since 40.0 h, at most 24 h (environments.production.backups.newest_hours)"
    assert [kept.proven for kept, _ in state.backups.values()] == ["damaged"]
    assert [one.problems for one in backup_ages("shop")] == [(says,)]
    assert [one.backups.problems for one in environments()] == [(says,)]


def test_a_backup_too_old_fails_the_night(platform, place, monkeypatch):
    state = place(newest_hours=24)
    platform.run(backup, WHERE)
    [(name, (kept, rows))] = state.backups.items()
    state.backups[name] = kept.model_copy(update={"at": kept.at - timedelta(hours=30)}), rows
    monkeypatch.setattr("delivery.memory.environment.MemoryBackups.take", lambda *_: refuse())

    def refuse():
        raise Rejected("no room")

    night = platform.run(verify_backups, {})

    says = "the newest backup is 30.0 h old, at most 24 h (environments.production.backups.newest_hours)"
    assert "no room" in str(night.error)
    assert says in str(night.error)
    assert [one.problems for one in backup_ages("shop")] == [(says,)]
    assert [one.backups.problems for one in environments()] == [(says,)]


def test_what_is_wrong_with_the_copies_fails_the_night(platform, place):
    behaviour = place().behaviour
    behaviour.has_second_place, behaviour.copy_problem = True, "the newest job was PARTIAL"

    night = platform.run(verify_backups, {})

    assert "copies in another part of memory: the newest job was PARTIAL" in str(night.error)
    assert outcomes() == [("proof", "pass"), ("drill in a second place", "pass")]


def test_a_copy_is_sent_by_hand_too_and_drilled_by_night_alone(platform, place):
    state = place()
    state.behaviour.has_second_place = True
    asked = []
    state.behaviour.during = asked.append

    platform.run(backup, WHERE)
    by_hand = list(asked)
    platform.run(verify_backups, {})

    assert by_hand == ["back up", "send a copy"]
    assert asked[2:] == ["back up", "send a copy", "drill a copy"]
    assert len(state.copies) == 2


@pytest.mark.parametrize("outcome", ["fail", "broken"])
def test_a_copy_that_does_not_come_back_fails_the_night(platform, place, outcome):
    behaviour = place().behaviour
    behaviour.has_second_place = True
    shown = Drill(at=datetime.now(UTC), outcome=outcome, where="the vault", problems=("no rows",))
    behaviour.drill_of_copy = lambda: shown

    assert f"the drill of production in the vault: {outcome}: no rows" in str(platform.run(verify_backups, {}).error)


def test_a_copy_comes_back_in_the_second_place_when_the_first_has_lost_everything(platform, place):
    state = place()
    state.behaviour.has_second_place = True
    state.databases["app"] = ("a", "b")
    platform.run(backup, WHERE)
    state.database, state.databases, state.backups = None, {}, {}

    restored = platform.run(restore_elsewhere, {**WHERE, "backup": "latest", "into": "rescue"}).error
    again = platform.run(restore_elsewhere, {**WHERE, "backup": "latest", "into": "rescue"}).error

    assert (restored.rows, state.elsewhere, state.databases) == (2, {"rescue": ("a", "b")}, {})
    assert isinstance(again, Misconfigured)
    assert [(one.kind, one.where) for one in history()[:2]] == [("restore", "second place"), ("proof", "")]


def test_without_a_second_place_it_is_said_what_is_missing(platform, place):
    place()
    refused = platform.run(restore_elsewhere, {**WHERE, "backup": "latest", "into": "rescue"}).error

    assert isinstance(refused, Misconfigured)
    assert "second place of the backups of production: there is none" in str(refused)
    assert history() == ()


def test_the_proof_says_what_a_restore_of_the_database_alone_leaves_as_it_is(platform, place):
    place()
    platform.run(backup, WHERE)

    [evidence] = platform.archive.evidence(platform.live())
    assert "not part of it, and as they are now: volume uploads (services.web)" in evidence.summary
    assert "volume uploads" in left_behind_by("shop", "production")
