import gc
import json
import os
import subprocess

import pytest

from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.platform.engine import (
    SETTINGS,
    HostFacts,
    engine_version,
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
def dockerd(tmp_path, monkeypatch):
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


def test_an_engine_is_not_kept_from_starting_by_what_died_before_it(home, dockerd_files):
    ended, living = dockerd_files
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has waited for it
    ended.write_text(str(child.pid))
    living.write_text(str(os.getpid()))

    launch_engine(home)

    assert (ended.exists(), living.exists()) == (False, True)
    assert child.wait() == 0


@pytest.fixture
def dockerd_files(tmp_path, monkeypatch):
    """The files in which dockerd and containerd keep their process ids; one is not there at all."""
    files = tmp_path / "docker.pid", tmp_path / "containerd.pid"
    monkeypatch.setattr("delivery.platform.engine.PID_FILES", (*files, tmp_path / "none.pid"))
    return files


@pytest.fixture
def home(tmp_path, dockerd):
    """A platform whose dockerd is the test's."""
    dockerd("exec sleep 60")
    home = Home(tmp_path / "home")
    yield home
    stop_engine(home)
