import gc
import json
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import docker
import pytest
from docker.errors import DockerException

from delivery.docker.engine.client import connect
from delivery.errors import Misconfigured, PlaceGone, Rejected
from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.platform.engine import (
    SETTINGS,
    HostFacts,
    engine_version,
    ensure_engine,
    launch_engine,
    steps_to_docker,
    stop_engine,
    wait_for_engine,
)

# A daemon is meant to outlive the object that started it.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def test_where_headway_sets_the_engine_up_containers_and_their_ports_outlive_it():
    settings = json.loads(SETTINGS)

    assert (settings["live-restore"], settings["userland-proxy"]) == (True, False)


@pytest.mark.parametrize(
    ("facts", "steps"),
    [
        (HostFacts(), ("configure", "install", "dockerd")),
        (HostFacts(systemd=True), ("configure", "install", "systemctl")),
        (HostFacts(dockerd=True), ("configure", "dockerd")),
        (HostFacts(dockerd=True, configured=True, systemd=True), ("systemctl",)),
        (HostFacts(dockerd=True, configured=True, debian=False), ("dockerd",)),
    ],
)
def test_root_gets_exactly_what_is_missing(facts, steps):
    assert steps_to_docker(facts) == steps


@pytest.mark.parametrize(
    ("facts", "found", "next_step"),
    [
        (HostFacts(root=False), "not installed, and this user is not root", "sudo apt-get install docker.io iptables"),
        (HostFacts(root=False, dockerd=True, systemd=True), "not running", "sudo systemctl start docker"),
        (HostFacts(root=False, dockerd=True), "not running", "sudo dockerd"),
        (HostFacts(debian=False), "Debian and Ubuntu only", "DOCKER_HOST"),
        (HostFacts(debian=False, root=False), "Debian and Ubuntu only", "Docker Desktop"),
        (HostFacts(socket_denied=True, root=False, dockerd=True), "may not use it", "usermod -aG docker"),
        (HostFacts(docker_host="tcp://10.0.0.9:2375"), "no engine answers at tcp://10.0.0.9:2375", "unset DOCKER_HOST"),
    ],
)
def test_without_the_rights_it_says_what_is_missing_and_how_to_get_it(facts, found, next_step):
    with pytest.raises(Misconfigured) as caught:
        steps_to_docker(facts)

    assert found in caught.value.found
    assert next_step in caught.value.next_step
    assert caught.value.exit_code == 2


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, after a refused connection
def test_an_address_where_nothing_listens_has_no_version(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    version = engine_version()
    gc.collect()  # while the warning is ignored, not in some later test

    assert version is None


@pytest.fixture
def dockerd(tmp_path, monkeypatch, machine):
    """A program named dockerd that writes to its log and does what the test says."""

    def install(script: str) -> Daemon:
        program = tmp_path / "bin" / "dockerd"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        daemon = Daemon("dockerd", tmp_path / "daemons", tmp_path / "logs" / "dockerd.log")
        started.append(daemon)
        daemon.start(["dockerd"], {})
        return daemon

    started: list[Daemon] = []
    yield install
    for daemon in started:
        daemon.stop(grace_seconds=2)


def test_an_engine_that_ends_at_once_shows_its_last_words(dockerd):
    daemon = dockerd("echo 'failed to start daemon: no space left on device'; exit 1")

    with pytest.raises(Rejected, match=r"ended at once(.|\n)*no space left on device"):
        wait_for_engine(daemon, lambda: None, seconds=20)


def test_an_engine_that_never_answers_is_not_waited_for_longer_than_asked(dockerd):
    daemon = dockerd("exec sleep 60")

    with pytest.raises(Rejected, match=r"did not answer within 0\.3 s"):
        wait_for_engine(daemon, lambda: None, seconds=0.3)


def test_an_engine_is_ready_when_it_answers(dockerd):
    daemon = dockerd("exec sleep 60")
    answers = iter([None, None, "27.5.1"])

    assert wait_for_engine(daemon, lambda: next(answers), seconds=20) == "27.5.1"


def test_an_engine_is_not_kept_from_starting_by_what_died_before_it(home, machine):
    ended, living = machine.pid_file, machine.containerd_file
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has waited for it
    ended.write_text(str(child.pid))
    living.write_text(str(os.getpid()))

    started = launch_engine(home)

    assert (started, ended.exists(), living.exists()) == (True, False, True)
    assert child.wait() == 0


class Machine:
    """A machine whose engine is the test's: a program that says when it answers, and refuses to run twice."""

    def __init__(self, folder):
        self.folder = folder
        self.pid_file, self.containerd_file = folder / "docker.pid", folder / "containerd.pid"
        self.starts, self.answering = folder / "starts", folder / "answering"
        (folder / "bin").mkdir(exist_ok=True)
        self.program("dockerd", self.dockerd(0.3))

    def dockerd(self, seconds):
        """Return an engine that needs so long to answer."""
        return f"""if [ -f {self.pid_file} ]; then echo process with PID is still running; exit 1; fi
        echo started >>{self.starts}; sleep {seconds / 2}; echo $$ >{self.pid_file}; sleep {seconds / 2}
        touch {self.answering}; while :; do sleep 0.1; done"""

    def program(self, name, script):
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def version(self):
        return "27.5.1" if self.answering.exists() else None


@pytest.fixture
def machine(tmp_path, monkeypatch):
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = Machine(folder)
    state = "delivery.docker.engine.engine_state"
    for name, path in {"PID_FILE": "docker.pid", "STARTED": "started", "SYSTEMD": "systemd", "SOCKET": "sock"}.items():
        monkeypatch.setattr(f"{state}.{name}", folder / path)
    monkeypatch.setattr("delivery.platform.engine.STARTED", folder / "started")
    monkeypatch.setattr("delivery.platform.engine.SYSTEMD", folder / "systemd")
    monkeypatch.setattr("delivery.platform.engine.SOCKET", folder / "sock")
    monkeypatch.setattr("delivery.platform.engine.LOCK", folder / "lock")
    pids = machine.pid_file, machine.containerd_file, folder / "none.pid"
    monkeypatch.setattr("delivery.platform.engine.PID_FILES", pids)
    monkeypatch.setattr("delivery.platform.engine.DAEMON_JSON", folder / "daemon.json")
    monkeypatch.setattr("delivery.platform.engine.engine_version", machine.version)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return machine


@pytest.fixture
def homes(tmp_path):
    """Two platforms of one machine."""
    homes = Home(tmp_path / "one"), Home(tmp_path / "two")
    yield homes
    for home in homes:
        stop_engine(home)


def test_a_run_and_the_keepers_of_two_platforms_start_one_engine_between_them(machine, homes):
    """Each sees the engine down; a second dockerd would end at once, and the run with it."""
    begin = threading.Barrier(4)

    def at_once(start):
        begin.wait()
        return start()

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(at_once, partial(ensure_engine, home)) for home in homes]
        keepers = [pool.submit(at_once, partial(launch_engine, home)) for home in homes]

    assert [run.result().version for run in runs] == ["27.5.1", "27.5.1"]
    assert [keeper.exception() for keeper in keepers] == [None, None]
    assert machine.starts.read_text() == "started\n"


def test_a_keeper_leaves_an_engine_alone_that_a_run_has_just_started(machine, homes):
    one, other = homes
    assert launch_engine(one)

    assert not launch_engine(other)
    assert ensure_engine(other).version == "27.5.1"
    assert machine.starts.read_text() == "started\n"


def test_an_engine_that_systemd_restarts_is_waited_for(machine, homes):
    """Its user is not root here: an engine that is stopped would be theirs to start."""
    (machine.folder / "systemd").mkdir()
    looked = machine.folder / "looked"
    machine.program(
        "systemctl",
        f"""echo look >>{looked}; echo ActiveState=inactive; echo Job=7
        if [ $(wc -l <{looked}) -gt 2 ]; then touch {machine.answering}; fi""",
    )

    report = ensure_engine(homes[0])

    assert (report.version, report.started_by_headway, machine.starts.exists()) == ("27.5.1", False, False)


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, after a refused connection
@pytest.mark.parametrize(
    ("up", "error", "said"),
    [(False, Misconfigured, "no engine answers"), (True, PlaceGone, "headway up starts it again")],
)
def test_an_engine_that_is_gone_is_transient_only_where_a_platform_is_up(machine, homes, monkeypatch, up, error, said):
    """A step that raises it is tried again, once the engine is back; elsewhere the user is told at once."""
    monkeypatch.setenv("HEADWAY_HOME", str(homes[0].root))
    monkeypatch.setattr("docker.from_env", partial(docker.DockerClient, f"unix://{machine.folder}/sock"))
    monkeypatch.setattr("delivery.docker.engine.client._CLIENTS", {})
    homes[0].root.mkdir()
    if up:
        homes[0].up.touch()

    with pytest.raises(error, match=said):
        connect()
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_step_waits_for_an_engine_that_is_being_restarted(machine, homes, monkeypatch):
    launch_engine(homes[0])

    class Client:
        def __init__(self, **_):
            if not machine.answering.exists():
                raise DockerException("Connection refused")

        def ping(self):
            return True

    monkeypatch.setattr("docker.from_env", Client)
    monkeypatch.setattr("delivery.docker.engine.client._CONNECTED", {})
    monkeypatch.setattr("delivery.docker.engine.client._CLIENTS", {})

    assert isinstance(connect(), Client)


@pytest.fixture
def home(tmp_path, machine):
    """A platform whose dockerd is the test's."""
    home = Home(tmp_path / "home")
    yield home
    stop_engine(home)
