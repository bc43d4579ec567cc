"""What dead runs left: changes half done, runs without a process, things without an owner."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Cancelling, Crashed, Paused, Running

from delivery.changes.heartbeat import FolderHeartbeats, HeartbeatRules
from delivery.changes.journal import Entry
from delivery.errors import Misconfigured, Transient
from delivery.memory.behaviour import memory_state
from delivery.platform.daemon import Daemon
from delivery.report.markdown import report_markdown
from flows import runs
from flows.deliver import deliver
from flows.recover import recover
from tasks.known import current_environments
from tests.support.heartbeats import died

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    """Nobody reports that a process of his has died."""
    monkeypatch.setattr("tasks.recover.REPORT_SECONDS", 0)


@pytest.fixture
def live(platform):
    platform.put_live(1)
    return platform.live()


def leave_half_done(platform, number, *verbs):
    """Do to production what a run had done until its process was killed; the last verb's effect is missing."""
    release = platform.release(number)
    lease = platform.leases_of(lease_seconds=-1).take("shop", "production", holder="dead", reason="test")
    host = platform.host(sequence=lease.sequence)
    fields = {"app": "shop", "environment": "production", "sequence": lease.sequence, "run": "dead", "release": release}
    effects = {
        "stage": lambda: host.stage(platform.app, release),
        "shift": lambda: host.shift(release, 50),
        "retire": lambda: None,
        "restore": lambda: memory_state("shop", "production").databases.update(unfinished_1=()),
    }
    for verb in verbs:
        for stage in ("intent", "done"):
            if (verb, stage) != (verbs[-1], "done"):
                platform.journal().write(
                    Entry.model_validate(fields | {"at": datetime.now(UTC), "verb": verb, "stage": stage})
                )
        effects[verb]()
    return release


def expire(platform):
    book = platform.leases_of(lease_seconds=-1)
    book.renew(book.read("shop", "production"))


def slots(platform):
    return [(slot.release, slot.weight) for slot in platform.host().observe().slots if slot.release]


@pytest.mark.parametrize("verbs", [["stage"], ["stage", "shift"]])
def test_a_change_that_nobody_can_vouch_for_is_withdrawn(platform, live, verbs):
    release = leave_half_done(platform, 2, *verbs)

    run = platform.run(recover, {})

    assert run.error[0] == f"withdraw of {release.fingerprint} done"
    assert slots(platform) == [(live, 100)]
    assert platform.happenings() == ["released", "withdrawn"]
    assert platform.leases.read("shop", "production").holder is None


def test_a_change_that_had_passed_every_watch_is_finished(platform, live):
    release = leave_half_done(platform, 2, "stage", "shift", "retire")

    platform.run(recover, {})

    assert slots(platform) == [(release, 100)]
    assert platform.happenings() == ["released", "released"]


def test_an_abandoned_lease_under_which_nothing_was_done_is_freed(platform, live):
    platform.leases_of(lease_seconds=-1).take("shop", "production", holder="dead", reason="test")

    run = platform.run(recover, {})

    assert run.error == ["nothing had been changed"]
    assert platform.leases.read("shop", "production").holder is None


def test_a_database_that_a_restore_left_is_removed(platform):
    """What it restored was given no name yet."""
    platform.describe(database={})
    platform.put_live(1)
    live = platform.live()
    leave_half_done(platform, 2, "restore")

    run = platform.run(recover, {})

    assert run.error == ["removed unfinished_1, which a restore left"]
    assert "unfinished_1" not in memory_state("shop", "production").databases
    assert platform.leases.read("shop", "production").holder is None
    assert slots(platform) == [(live, 100)]


def test_a_change_that_is_under_way_is_left_alone(platform, live):
    release = leave_half_done(platform, 2, "stage", "shift")
    book = platform.leases
    book.renew(book.read("shop", "production"))

    assert platform.run(recover, {}).error == []
    assert platform.host().observe().slot_of(release).weight == 50


def test_a_recovery_that_fails_is_tried_again(platform, live):
    leave_half_done(platform, 2, "stage", "shift")
    platform.behaviour().during = _raise
    assert platform.run(recover, {}).state.is_failed()
    platform.behaviour().during = lambda verb: None
    expire(platform)

    run = platform.run(recover, {})

    assert run.state.is_completed(), run.ended
    assert slots(platform) == [(live, 100)]


def test_one_place_that_cannot_be_recovered_keeps_nobody_else_waiting(platform, live):
    leave_half_done(platform, 2, "stage", "shift")
    platform.behaviour().during = _raise

    run = platform.run(recover, {})

    assert "the host does not answer" in run.ended[1]
    assert platform.containers.calls["sweep"] == 1


def test_whoever_takes_the_lease_before_recovery_ends_the_change_first(platform, live):
    left = leave_half_done(platform, 2, "stage", "shift")

    run = platform.put_live(3)

    assert run.state.is_completed(), run.ended
    assert slots(platform) == [(platform.release(3), 100)]
    assert platform.archive.history("shop", "production")[1].release == left
    assert platform.happenings() == ["released", "withdrawn", "released"]


def test_places_are_known_from_what_was_done_there(platform, live):
    assert [(one.app.app, one.environment) for one in current_environments()] == [("shop", "production")]


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it looks at the files
def test_what_cannot_be_read_of_one_application_keeps_no_other_from_being_looked_after(platform, live):
    kept = platform.home.store / "releases" / "shop" / live.fingerprint / "app.json"
    kept.write_text(kept.read_text().replace('"images"', '"pictures"', 1))

    assert current_environments() == []


def a_run(platform, state, **heartbeat):
    run = platform.create(deliver, {})
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run), Running(), force=True)
        client.set_flow_run_state(UUID(run), state, force=True)
    died(platform.home.heartbeats, run, **heartbeat)
    return run


def state_of(run):
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(run)).state_name


@pytest.mark.parametrize(
    ("state", "heartbeat", "becomes"),
    [
        (Running(), {}, "AwaitingRetry"),
        (Running(), {"attempts": 2}, "Crashed"),
        (Running(), {"begins_again": False}, "Crashed"),
        (Paused(timeout_seconds=60), {}, "AwaitingRetry"),
        (Cancelling(), {}, "Cancelled"),
    ],
    ids=["starts again", "crashed twice", "recovery itself", "waited for an answer", "was being cancelled"],
)
def test_a_run_whose_process_died(platform, state, heartbeat, becomes):
    run = a_run(platform, state, **heartbeat)

    platform.run(recover, {})

    assert state_of(run) == becomes
    assert FolderHeartbeats(platform.home.heartbeats).unattended() == []


@pytest.mark.parametrize("state", [Running(), Crashed(message="exited with -9")], ids=["found", "told by the worker"])
def test_a_delivery_that_crashed_is_told_as_crashed_with_what_happens_next(platform, state):
    run = a_run(platform, state, attempts=2)

    platform.run(recover, {})

    record, seen = platform.record(run), runs.look(run)
    assert (record.outcome, record.environment, record.run_name) == ("crashed", "production", seen.name)
    assert record.reason == "its process died; recovery finishes or withdraws what it had begun"
    assert (seen.state, seen.has_ended) == ("Crashed", True)
    first, *_, last = seen.message.splitlines()
    assert first == record.reason
    assert last == "  next: headway status says when the environment is free; then headway run again"
    assert "crashed in" in report_markdown(record)


def test_a_delivery_that_is_started_again_has_not_crashed(platform):
    run = a_run(platform, Running())

    platform.run(recover, {})

    with pytest.raises(Misconfigured, match="there is none"):
        platform.record(run)


def test_a_run_that_ended_although_its_process_could_not_say_so_is_forgotten(platform):
    run = a_run(platform, Crashed())

    platform.run(recover, {})

    assert state_of(run) == "Crashed"
    assert FolderHeartbeats(platform.home.heartbeats).find(run) is None


def test_a_run_that_begins_again_is_not_started_twice(platform):
    run = a_run(platform, Running())
    platform.run(recover, {})
    with get_client(sync_client=True) as client:
        before = len(client.read_flow_run_states(UUID(run)))
        platform.run(recover, {})

        assert len(client.read_flow_run_states(UUID(run))) == before


def test_who_looks_after_dead_runs_already_is_not_joined(platform):
    run = a_run(platform, Running())

    with FolderHeartbeats(platform.home.heartbeats).alone():
        platform.run(recover, {})

    assert state_of(run) == "Running"
    assert "sweep" not in platform.containers.calls


def test_a_dead_holder_is_not_waited_for(platform, live):
    release = leave_half_done(platform, 2, "stage", "shift")
    book = platform.leases
    book.renew(book.read("shop", "production"))
    died(platform.home.heartbeats, "dead")

    run = platform.run(recover, {})

    assert run.error[0] == f"withdraw of {release.fingerprint} done"
    assert slots(platform) == [(live, 100)]


def test_two_recoveries_at_once_end_a_change_once(platform, live):
    release = leave_half_done(platform, 2, "stage", "shift")
    runs = [platform.create(recover, {}) for _ in range(2)]

    async def both():
        return await asyncio.gather(*(platform.carrying(recover, run) for run in runs))

    ended = platform.loop.run(both())

    assert [run.state.is_completed() for run in ended] == [True, True], ended
    assert sorted(done for run in ended for done in run.error) == [f"withdraw of {release.fingerprint} done"]
    assert slots(platform) == [(live, 100)]
    assert platform.happenings() == ["released", "withdrawn"]


def test_what_died_before_it_changed_anything_in_a_new_environment_holds_it_no_longer(platform, live):
    platform.leases_of(lease_seconds=-1).take("shop", "staging", holder="dead", reason="test")
    platform.leases.take("shop", "test", holder="alive", reason="test")

    platform.run(recover, {})

    assert platform.leases.read("shop", "staging").holder is None
    assert platform.leases.read("shop", "test").holder == "alive"


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_the_keeper_is_started_when_it_is_dead_unless_the_platform_is_down(platform, monkeypatch, up):
    started = []
    monkeypatch.setattr(Daemon, "start", lambda daemon, argv, env: started.append((daemon.name, argv[1:])))
    if up:
        platform.home.root.mkdir(exist_ok=True)
        platform.home.up.touch()

    platform.run(recover, {})

    assert started == ([("keeper", ["-m", "delivery.platform"])] if up else [])


def test_a_run_that_is_carried_is_left_alone_and_keeps_what_is_its_own(platform, monkeypatch):
    monkeypatch.setattr("tasks.recover.PAGE", 1)
    monkeypatch.setattr(HeartbeatRules, "is_alive", lambda kept, heartbeat: True)
    runs = [a_run(platform, Running()) for _ in range(2)]

    platform.run(recover, {})

    assert [state_of(run) for run in runs] == ["Running", "Running"]
    assert set(runs) <= platform.containers.living


def _raise(verb):
    raise Transient("the host does not answer")
