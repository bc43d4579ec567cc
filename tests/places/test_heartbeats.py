"""Heartbeats: a run whose process died is told from one that lives, here and on another host."""

import errno
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from delivery.changes.heartbeat import FolderHeartbeats, end_leases_of_the_dead
from delivery.changes.lease import LeaseBook
from delivery.changes.processes import here
from delivery.memory.heartbeats import MemoryHeartbeats
from delivery.memory.leases import MemoryLeases
from delivery.ports.heartbeats import INITIAL_NAMESPACE, LIMIT_SECONDS, Whereabouts
from tests.support.heartbeats import NOBODY, died

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
MACHINE = Whereabouts(hostname="a", machine="1", boot="b1", namespace=INITIAL_NAMESPACE)
ELSEWHERE = {
    "another machine": MACHINE.model_copy(update={"hostname": "b", "boot": "b2"}),
    "a machine whose image is the same": MACHINE.model_copy(update={"boot": "b2", "namespace": "pid:[1]"}),
    "another container": MACHINE.model_copy(update={"hostname": "c", "namespace": "pid:[1]"}),
    "a container with the machine's name": MACHINE.model_copy(update={"namespace": "pid:[1]"}),
    "a machine that tells nothing": Whereabouts(hostname="d"),
}


class Clock:
    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time

    def after(self, seconds):
        self.time += timedelta(seconds=seconds)


class HeartbeatContract:
    """A subclass brings `on(whereabouts, platform)`: what a process there sees, by `clock`, of the same heartbeats."""

    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def mine(self, on):
        return on(here())

    def test_a_run_of_this_process_lives_however_long_it_says_nothing(self, mine, clock):
        mine.enter("r1")
        clock.after(10 * LIMIT_SECONDS)

        assert mine.alive() == {"r1"}
        assert mine.dead() == []

    def test_a_run_that_ended_is_forgotten(self, mine):
        mine.enter("r1")
        mine.leave("r1")
        mine.leave("r1")

        assert mine.find("r1") is None
        assert mine.alive() == set()

    def test_a_run_whose_process_is_not_there_is_dead_at_once(self, mine):
        living = mine.enter("r1")

        assert not mine.is_alive(living.model_copy(update={"process": NOBODY}))

    def test_another_process_with_the_same_number_is_not_mistaken(self, mine):
        living = mine.enter("r1")

        assert not mine.is_alive(living.model_copy(update={"started": living.started - 1}))

    def test_each_attempt_is_counted(self, mine):
        assert [mine.enter("r1").attempts, mine.enter("r1").attempts] == [1, 2]

    @pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE)
    def test_a_run_of_another_host_lives_until_it_was_silent_for_too_long(self, on, clock, elsewhere):
        """Its process number is not looked up here, though the test's own process has it and lives."""
        there, seen = on(elsewhere), on(MACHINE)
        heartbeat = there.enter("r1")
        told = [seen.alive()]
        clock.after(LIMIT_SECONDS - 1)
        told.append(seen.alive())
        renewed = there.renew(heartbeat)
        clock.after(LIMIT_SECONDS - 1)
        told.append(seen.alive())
        clock.after(2)

        assert renewed
        assert told == [{"r1"}] * 3
        assert seen.alive() == set()
        assert [dead.run for dead in seen.dead()] == ["r1"]

    def test_a_run_of_this_machine_before_it_started_anew_is_dead_at_once(self, on):
        on(MACHINE).enter("r1")

        assert on(MACHINE.model_copy(update={"boot": "b2"})).alive() == set()

    def test_the_dead_are_told_until_somebody_looked_after_them(self, on, clock):
        there, seen = on(ELSEWHERE["another machine"]), on(MACHINE)
        there.enter("r1")
        clock.after(LIMIT_SECONDS + 1)
        before = seen.unattended()

        seen.attend(before[0])

        assert [dead.run for dead in before] == ["r1"]
        assert seen.unattended() == []
        assert [dead.attended for dead in seen.dead()] == [True]

    def test_a_run_that_somebody_carries_again_is_not_marked(self, on, clock):
        on(ELSEWHERE["another machine"]).enter("r1")
        seen = on(MACHINE)
        clock.after(LIMIT_SECONDS + 1)
        (dead,) = seen.dead()
        seen.enter("r1")

        seen.attend(dead)

        assert not seen.find("r1").attended

    def test_a_run_that_was_wrongly_thought_dead_lives_again_and_can_die(self, on, clock):
        there, seen = on(ELSEWHERE["another machine"]), on(MACHINE)
        heartbeat = there.enter("r1")
        clock.after(LIMIT_SECONDS + 1)
        seen.attend(seen.dead()[0])

        there.renew(heartbeat)
        lived = seen.alive()
        clock.after(LIMIT_SECONDS + 1)

        assert lived == {"r1"}
        assert [dead.run for dead in seen.unattended()] == ["r1"]

    def test_who_lost_its_run_renews_nothing(self, on, clock):
        there, seen = on(ELSEWHERE["another machine"]), on(MACHINE)
        earlier = there.enter("r1")
        seen.enter("r1")
        found = seen.find("r1")
        clock.after(5)

        assert not there.renew(earlier)
        assert seen.find("r1") == found
        seen.leave("r1")
        assert not there.renew(earlier)
        assert seen.find("r1") is None

    def test_a_platform_looks_after_its_own_dead_alone(self, on, clock):
        on(ELSEWHERE["another machine"], "other").enter("r1")
        seen = on(MACHINE, "ours")
        clock.after(LIMIT_SECONDS + 1)

        assert seen.unattended() == []
        assert [seen.is_ours(dead) for dead in seen.dead()] == [False]

    def test_one_looks_after_the_dead_and_the_others_do_not_wait(self, on):
        with on(MACHINE).alone() as first, on(MACHINE).alone() as second:
            assert (first, second) == (True, False)
        with on(MACHINE).alone() as next_one:
            assert next_one


class TestFolder(HeartbeatContract):
    @pytest.fixture
    def on(self, tmp_path, clock):
        def make(whereabouts, platform=""):
            return FolderHeartbeats(tmp_path / "heartbeats", here=whereabouts, platform=lambda: platform, now=clock)

        return make

    def test_a_run_of_a_killed_process_is_found_dead(self, mine, tmp_path):
        imports = "import os; from pathlib import Path; from delivery.changes.heartbeat import FolderHeartbeats"
        code = f"{imports}; FolderHeartbeats(Path({str(tmp_path / 'heartbeats')!r})).enter('r1'); os._exit(9)"
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)

        assert [dead.run for dead in mine.dead()] == ["r1"]

    def test_a_heartbeat_is_renewed_on_a_disk_without_room(self, on, clock, monkeypatch):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        there, seen = on(ELSEWHERE["another machine"]), on(MACHINE)
        heartbeat = there.enter("r1")
        monkeypatch.setattr(Path, "write_text", full)
        clock.after(LIMIT_SECONDS + 1)

        assert there.renew(heartbeat)
        assert seen.alive() == {"r1"}


class TestMemory(HeartbeatContract):
    @pytest.fixture
    def on(self, clock):
        kept = MemoryHeartbeats(now=clock)
        return lambda whereabouts, platform="": kept.seen_from(whereabouts, platform=lambda: platform)


class TestLeasesOfTheDead:
    def test_only_they_are_ended(self, tmp_path):
        heartbeats, leases = FolderHeartbeats(tmp_path / "heartbeats"), LeaseBook(tmp_path / "leases")
        heartbeats.enter("alive")
        died(heartbeats.root, "dead")
        for environment, holder in (("production", "dead"), ("staging", "alive"), ("test", "unknown")):
            leases.take("shop", environment, holder=holder, reason="release a")

        ended = end_leases_of_the_dead(leases, heartbeats)

        assert [lease.environment for lease in ended] == ["production"]
        assert [lease.environment for lease in leases.all() if not lease.is_held(datetime.now(UTC))] == ["production"]

    def test_that_of_a_run_on_another_host_is_held_until_it_was_silent_for_too_long(self):
        clock = Clock()
        heartbeats, leases = MemoryHeartbeats(here=ELSEWHERE["another machine"], now=clock), MemoryLeases()
        heartbeats.enter("r1")
        leases.take("shop", "production", holder="r1", reason="release a")
        seen = heartbeats.seen_from(MACHINE)
        while_it_lives = end_leases_of_the_dead(leases, seen)
        clock.after(LIMIT_SECONDS + 1)

        assert while_it_lives == []
        assert [lease.holder for lease in end_leases_of_the_dead(leases, seen)] == ["r1"]
