"""The keeper: what died is started again, what was stopped is not, and dead runs keep nobody waiting."""

import sys
import threading
from datetime import UTC, datetime

import psutil
import pytest

from delivery.changes.heartbeat import FolderHeartbeats
from delivery.changes.lease import LeaseBook
from delivery.docker.target.lifecycle import ExitedContainer
from delivery.home import Home
from delivery.hooks.connections import Connection, Connections
from delivery.platform.backoff import Backoff
from delivery.platform.daemon import Daemon
from delivery.platform.duties import ExitedContainers, Recovery, Silence, duties_of
from delivery.platform.engine import engine_died
from delivery.platform.keeper import Duty, Keeper
from delivery.platform.orchestrator import Orchestrator
from delivery.platform.receiver_daemon import ensure_receiver, receiver_daemon, restart_receiver
from delivery.platform.shutdown import stop_platform
from tests.support.heartbeats import died

# A daemon is meant to outlive the object that started it.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at

    def after(self, seconds):
        self.at += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.up.touch()
    return home


@pytest.fixture
def sleeper(home):
    daemon = Daemon("sleeper", home.root / "daemons", home.logs / "sleeper.log")
    yield daemon
    daemon.stop(grace_seconds=2)


def kept(home, clock, *duties):
    """Return a keeper of `duties` and what it says."""
    said = []
    return Keeper(home, duties, now=clock, say=said.append), said


def keeping(daemon, argv=SLEEP):
    def start():
        daemon.start(argv, {})
        return "started again"

    return Duty(daemon.name, lambda: daemon.process() is None, start)


def kill(daemon):
    process = daemon.process()
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_what_died_is_started_again(home, clock, sleeper):
    keeper, said = kept(home, clock, keeping(sleeper))
    keeper.round()
    first = sleeper.process()
    kill(sleeper)
    clock.after(40)

    keeper.round()

    assert sleeper.process().is_running()
    assert sleeper.process() != first
    assert said == ["sleeper: started again"]


def test_what_lives_is_left_alone_and_not_spoken_of(home, clock, sleeper):
    sleeper.start(SLEEP, {})
    living = sleeper.process()
    keeper, said = kept(home, clock, keeping(sleeper))

    keeper.round()

    assert sleeper.process() == living
    assert said == []


def test_nothing_is_started_after_the_platform_was_taken_down(home, clock, sleeper):
    keeper, said = kept(home, clock, keeping(sleeper))
    home.up.unlink()

    keeper.round()

    assert sleeper.process() is None
    assert said == []


def test_what_ends_at_once_is_started_with_growing_pauses(home, clock):
    starts = []
    duty = Duty("lame", lambda: True, lambda: starts.append(clock.at) or "started again")
    keeper, said = kept(home, clock, duty)

    for _ in range(200):
        keeper.round()
        clock.after(1)

    assert starts == [0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181]
    assert said == ["lame: started again"]


def test_pauses_are_forgotten_by_what_has_been_well(clock):
    backoff = Backoff(clock)
    for _ in range(5):
        clock.after(60)
        backoff.tried()

    assert not backoff.is_due
    clock.after(31)
    backoff.is_well()

    assert backoff.is_due
    backoff.tried()
    clock.after(1)
    assert backoff.is_due


def test_a_duty_that_fails_keeps_no_other_from_being_done(home, clock, sleeper):
    def fail():
        raise OSError("no space left on device")

    keeper, said = kept(home, clock, Duty("broken", lambda: True, fail), keeping(sleeper))

    keeper.round()
    keeper.round()

    assert sleeper.process() is not None
    assert said == ["broken: OSError: no space left on device", "sleeper: started again"]


@pytest.fixture
def keeper_process(home):
    """A keeper in a process of its own that keeps one daemon, which only sleeps."""
    code = f"""
import delivery.platform.duties as duties, delivery.platform.__main__ as keeping
from delivery.platform.keeper import Duty
from delivery.platform.daemon import Daemon
def only(home):
    daemon = Daemon("worker", home.root / "daemons", home.logs / "worker.log")
    return [Duty("worker", lambda: daemon.process() is None, lambda: str(daemon.start({SLEEP!r}, {{}})))]
keeping.duties_of, keeping.ROUND_SECONDS = only, 0.02
keeping.main()
"""
    prefect = Orchestrator(home)
    prefect.keeper.start([sys.executable, "-c", code], {"HEADWAY_HOME": str(home.root)})
    yield prefect
    prefect.stop()


def until(condition):
    deadline = datetime.now(UTC).timestamp() + 30
    while not condition():
        assert datetime.now(UTC).timestamp() < deadline, "it did not happen"
    return True


def test_down_is_the_last_word_while_the_keeper_starts_something(keeper_process):
    until(lambda: keeper_process.worker.process())
    kill(keeper_process.worker)

    stopped = keeper_process.stop()

    assert "keeper" in stopped
    assert keeper_process.keeper.process() is None
    assert keeper_process.worker.process() is None
    assert not keeper_process.home.up.exists()


def test_what_a_killed_keeper_had_started_lives_on_and_is_found_by_the_next(keeper_process, home, clock):
    until(lambda: keeper_process.worker.process())
    worker = keeper_process.worker.process()

    kill(keeper_process.keeper)
    keeper, said = kept(home, clock, keeping(keeper_process.worker))
    keeper.round()

    assert keeper_process.worker.process() == worker
    assert said == []


def test_a_keeper_is_not_started_after_down(home):
    prefect = Orchestrator(home)
    prefect.stop()

    prefect.start_keeper()

    assert prefect.keeper.process() is None


def test_a_daemon_is_told_nothing_about_the_run_that_started_it(sleeper, monkeypatch):
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "of the run that found the keeper dead")

    sleeper.start([sys.executable, "-c", "import os; print(sorted(os.environ), flush=True)"], {"HEADWAY": "yes"})

    until(lambda: "HEADWAY" in sleeper.last_lines())
    assert "PREFECT__FLOW_RUN_ID" not in sleeper.last_lines()


def test_an_engine_that_headway_started_is_missed_when_it_was_killed_and_not_when_it_was_stopped(home, monkeypatch):
    monkeypatch.setattr("delivery.platform.engine.SOCKET", home.root / "docker.sock")
    dockerd = Daemon("dockerd", home.root / "daemons", home.logs / "dockerd.log")
    never = engine_died(home)
    dockerd.start(SLEEP, {})
    living = engine_died(home)
    kill(dockerd)
    killed = engine_died(home)
    dockerd.stop()

    assert (never, living, killed, engine_died(home)) == (False, False, True, False)


class Prefect:
    """A server that answers or not, and a recovery that is a process which sleeps."""

    elsewhere = None

    def __init__(self, home, answering=True):
        self.answering, self.starts = answering, 0
        self.server = Daemon("server", home.root / "daemons", home.logs / "server.log")
        self.recovery = Daemon("recovery", home.root / "daemons", home.logs / "recovery.log")

    @property
    def is_expected_to_answer(self):
        return self.server.process() is not None

    def answers(self):
        return self.answering

    def start_recovery(self):
        self.starts += 1
        self.recovery.start(SLEEP, {})


@pytest.fixture
def prefect(home):
    prefect = Prefect(home)
    yield prefect
    prefect.recovery.stop(grace_seconds=2)
    prefect.server.stop(grace_seconds=2)


@pytest.fixture
def leases(home):
    return LeaseBook(home.leases)


def held_now(leases):
    return leases.read("shop", "production").is_held(datetime.now(UTC))


def recovering(home, clock, prefect):
    recovery = Recovery(home, prefect)
    return kept(home, clock, Duty("recovery", recovery.is_needed, recovery.start))


def test_the_lease_of_a_dead_run_ends_at_once_and_one_recovery_is_started(home, clock, prefect, leases):
    leases.take("shop", "production", holder="r1", reason="release a")
    died(home.heartbeats, "r1")
    keeper, said = recovering(home, clock, prefect)

    for _ in range(5):
        keeper.round()
        clock.after(60)

    assert not held_now(leases)
    assert prefect.starts == 1
    assert said == ["recovery: started for production of shop, left by r1; run r1, whose process died"]


def test_the_lease_of_a_run_that_lives_is_not_touched(home, clock, prefect, leases):
    lease = leases.take("shop", "production", holder="r1", reason="release a")
    FolderHeartbeats(home.heartbeats).enter("r1")
    keeper, said = recovering(home, clock, prefect)

    keeper.round()

    assert leases.read("shop", "production") == lease
    assert (prefect.starts, said) == (0, [])


def test_a_holder_that_never_had_a_heartbeat_may_live(home, clock, prefect, leases):
    lease = leases.take("shop", "production", holder="elsewhere", reason="release a")
    keeper, _ = recovering(home, clock, prefect)

    keeper.round()

    assert leases.read("shop", "production") == lease
    assert prefect.starts == 0


def test_a_lease_that_ran_out_is_recovered_whoever_held_it(home, clock, prefect):
    LeaseBook(home.leases, lease_seconds=-1).take("shop", "production", holder="elsewhere", reason="release a")
    keeper, said = recovering(home, clock, prefect)

    keeper.round()

    assert prefect.starts == 1
    assert said == ["recovery: started for production of shop, left by elsewhere"]


def test_a_run_that_was_killed_while_it_held_nothing_is_recovered_once(home, clock, prefect):
    died(home.heartbeats, "r1")
    keeper, _ = recovering(home, clock, prefect)

    keeper.round()
    prefect.recovery.stop(grace_seconds=2)
    kept = FolderHeartbeats(home.heartbeats)
    kept.attend(kept.find("r1"))
    clock.after(60)
    keeper.round()

    assert prefect.starts == 1


def test_a_recovery_is_not_started_for_runs_that_another_one_looks_after(home, clock, prefect):
    died(home.heartbeats, "r1")
    keeper, _ = recovering(home, clock, prefect)

    with FolderHeartbeats(home.heartbeats).alone():
        keeper.round()
        meanwhile = prefect.starts
    keeper.round()

    assert (meanwhile, prefect.starts) == (0, 1)


def test_a_recovery_that_did_not_help_is_tried_again_after_a_pause(home, clock, prefect):
    died(home.heartbeats, "r1")
    keeper, _ = recovering(home, clock, prefect)
    starts = []

    for _ in range(20):
        keeper.round()
        starts.append(prefect.starts)
        prefect.recovery.stop(grace_seconds=2)
        clock.after(1)

    assert starts == [1, 2, 2, 3, 3, 3, 3, *[4] * 8, *[5] * 5]


def test_a_recovery_waits_for_the_server(home, clock, prefect, leases):
    prefect.answering = False
    leases.take("shop", "production", holder="r1", reason="release a")
    died(home.heartbeats, "r1")
    keeper, _ = recovering(home, clock, prefect)

    keeper.round()
    without = prefect.starts
    prefect.answering = True
    keeper.round()

    assert (without, prefect.starts) == (0, 1)


def test_a_server_that_lives_and_is_silent_is_only_told_of(home, clock, prefect):
    prefect.server.start(SLEEP, {})
    silence = Silence(prefect, clock)
    keeper, said = kept(home, clock, Duty("server's answers", silence.is_long, silence.describe))
    prefect.answering = False

    for _ in range(100):
        keeper.round()
        clock.after(1)

    assert said == [f"server's answers: none for 60 s although it runs; see {home.logs}/server.log"]
    assert prefect.server.process() is not None


def test_a_container_that_cannot_be_started_delays_no_other_and_is_told_once(home, clock, monkeypatch):
    broken = ExitedContainer(id="1", name="router", app="moon", environment="production")
    other = ExitedContainer(id="2", name="web", app="shop", environment="production")
    down, started = [broken], []

    def start(exited):
        started.extend(one.name for one in exited)
        return {one.id: "port is already allocated" for one in exited if one is broken}

    monkeypatch.setattr("delivery.platform.duties.find_exited", lambda home: list(down))
    monkeypatch.setattr("delivery.platform.duties.start_exited", start)
    exited = ExitedContainers(home, clock)
    keeper, said = kept(home, clock, Duty("containers", exited.are_there, exited.start, paces_itself=True))
    for _ in range(10):  # it is tried in vain, with growing pauses
        keeper.round()
        clock.after(2)
    tried = started.count("router")

    down.append(other)
    keeper.round()

    assert 1 < tried < 10
    assert started.count("web") == 1
    assert said == [
        "containers: router (production of moon) cannot be started: port is already allocated",
        "containers: started again: web",
    ]


@pytest.fixture
def connected(home, monkeypatch):
    """A platform that somebody may send to; its receiver is a process that sleeps."""
    Connections(home).keep(Connection(name="shop", source="registry"))
    monkeypatch.setattr("delivery.platform.receiver_daemon.Orchestrator.environment", lambda _: {})
    started = []
    start = Daemon.start

    def sleeping(daemon, argv, env):
        started.append(daemon.name)
        return start(daemon, SLEEP if daemon.name == "hooks" else argv, env)

    monkeypatch.setattr(Daemon, "start", sleeping)
    yield started
    receiver_daemon(home).stop(grace_seconds=2)


def hooks_of(home):
    (duty,) = [duty for duty in duties_of(home) if duty.name == "hooks"]
    return duty


def test_a_receiver_that_died_is_started_again(home, clock, connected):
    keeper, said = kept(home, clock, hooks_of(home))
    keeper.round()
    kill(receiver_daemon(home))
    clock.after(60)

    keeper.round()

    assert receiver_daemon(home).process() is not None
    assert connected == ["hooks", "hooks"]
    assert said == ["hooks: it had died and is started again"]


def test_where_nobody_may_send_anything_there_is_no_receiver(home, clock):
    keeper, said = kept(home, clock, hooks_of(home))

    keeper.round()

    assert (receiver_daemon(home).process(), said) == (None, [])


def test_a_keeper_starts_no_second_receiver_beside_one_that_is_just_being_changed(home, clock, connected):
    prefect = Orchestrator(home)
    ensure_receiver(prefect)
    before = receiver_daemon(home).process()
    keeper, _ = kept(home, clock, hooks_of(home))
    rounds = threading.Thread(target=lambda: [keeper.round() for _ in range(200)])
    rounds.start()

    restart_receiver(prefect)
    rounds.join(60)

    after = receiver_daemon(home).process()
    assert not before.is_running()
    assert after is not None
    assert connected == ["hooks", "hooks"]


def test_who_stops_the_platform_stops_the_receiver(home, connected, monkeypatch):
    monkeypatch.setattr("delivery.platform.shutdown.engine_version", lambda: None)
    monkeypatch.setattr("delivery.platform.shutdown.stop_engine", lambda _: False)
    ensure_receiver(Orchestrator(home))

    assert stop_platform(home) == ["hooks"]
    assert receiver_daemon(home).process() is None
