"""Docker on this machine: found, or installed and started where Headway may."""

import os
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import docker
import psutil
import requests
from docker.errors import DockerException
from filelock import FileLock, Timeout
from pydantic import Field

from delivery.docker.engine.engine_state import (
    PID_FILE,
    SOCKET,
    STARTED,
    SYSTEMD,
    await_engine,
    is_denied,
    is_running,
)
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.model import Model
from delivery.platform.daemon import Daemon
from delivery.programs.run import run
from delivery.waiting import until

PID_FILES = (PID_FILE, Path("/var/run/docker/containerd/containerd.pid"))
LOCK = Path("/var/run/headway-dockerd.lock")  # all platforms of a machine share its engine
DAEMON_JSON = Path("/etc/docker/daemon.json")
# /24 networks: Docker's own pools are used up after about thirty test cells. Containers and their published ports live
# on while the engine is dead: the ports by rules of the kernel, because a proxy of the engine would end with it.
SETTINGS = """\
{
  "default-address-pools": [{"base": "10.201.0.0/16", "size": 24}],
  "log-opts": {"max-size": "10m", "max-file": "2"},
  "live-restore": true,
  "userland-proxy": false
}
"""
PACKAGES = ("docker.io", "iptables")
START_SECONDS = 30
_DOCKERD = ["dockerd", "-H", f"unix://{SOCKET}"]

Step = Literal["configure", "install", "systemctl", "dockerd"]


class EngineReport(Model):
    """The engine that answers, and what it took."""

    version: str
    started_by_headway: bool
    installed: bool = Field(description="Headway installed it just now")
    seconds: float


class HostFacts(Model):
    """What decides how Docker can be had on a machine where none answers."""

    docker_host: str | None = Field(None, description="DOCKER_HOST, when it is set")
    socket_denied: bool = Field(False, description="the socket is there and this user may not use it")
    root: bool = True
    debian: bool = Field(True, description="Debian, Ubuntu or a relative, with apt")
    dockerd: bool = Field(False, description="the program is installed")
    systemd: bool = False
    configured: bool = Field(False, description="there is a daemon.json")


def steps_to_docker(facts: HostFacts) -> tuple[Step, ...]:
    """Return what Headway does, in order, so that Docker answers; Misconfigured when it is not Headway's to do."""
    if facts.docker_host:
        raise _missing(
            f"no engine answers at {facts.docker_host}", "start Docker on that machine, or unset DOCKER_HOST"
        )
    if facts.socket_denied:
        raise _missing(
            f"{SOCKET} is there, but this user may not use it",
            'sudo usermod -aG docker "$USER", then log in again; or run the same command as root',
        )
    start = "sudo systemctl start docker" if facts.systemd else "sudo dockerd"
    if not facts.debian and not facts.dockerd:
        raise _missing(
            "Docker Engine is not installed, and Headway installs it on Debian and Ubuntu only",
            "install Docker Engine or Docker Desktop and start it, or point DOCKER_HOST at a machine that runs it",
        )
    if not facts.root:
        install = "" if facts.dockerd else f"sudo apt-get install {' '.join(PACKAGES)} && "
        found = "Docker Engine is not running" if facts.dockerd else "Docker Engine is not installed"
        raise _missing(
            f"{found}, and this user is not root",
            f'{install}{start}; sudo usermod -aG docker "$USER", then log in again; or run the same command as root',
        )
    before: tuple[Step, ...] = () if facts.configured else ("configure",)
    install_step: tuple[Step, ...] = () if facts.dockerd else ("install",)
    return (*before, *install_step, "systemctl" if facts.systemd else "dockerd")


def why_no_engine() -> Misconfigured | None:
    """Return what keeps `headway up` from bringing up an engine here, or none; changes nothing."""
    try:
        steps_to_docker(_look())
    except Misconfigured as error:
        return error
    return None


def ensure_engine(home: Home | None = None) -> EngineReport:
    """Return when a Docker engine answers; it is installed and started where that is possible.

    One that is being started or restarted, by whomever, is waited for. Raises Misconfigured, having changed nothing,
    when it is the user's to do; Rejected, with the end of the log, when the engine does not start.
    """
    home, started = home or Home.current(), time.monotonic()
    installed, version = False, engine_version() or await_engine(engine_version)
    if version is None:
        steps_to_docker(_look())
        with FileLock(LOCK):  # whoever had it before may have done all of it
            version = engine_version() or await_engine(engine_version)
            if version is None:
                steps = steps_to_docker(_look())
                installed = "install" in steps
                version = _carry_out(steps, _daemon(home))
    return EngineReport(
        version=version,
        started_by_headway=_daemon(home).process() is not None,
        installed=installed,
        seconds=round(time.monotonic() - started, 2),
    )


def engine_died(home: Home) -> bool:
    """Whether an engine that Headway started ended by itself, and no other one listens in its place."""
    if not _daemon(home).has_died:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(SOCKET)) != 0


def launch_engine(home: Home) -> bool:
    """Start the engine again and return at once; it takes back what lived on.

    Returns whether it was started: not where somebody else on this machine does so just now.
    """
    try:
        with FileLock(LOCK, timeout=0):
            if is_running():
                return False
            _start(_daemon(home))
            return True
    except Timeout:
        return False


def _start(daemon: Daemon) -> None:
    """Start dockerd, and note for all platforms of this machine that it is on its way."""
    _forget_the_dead(PID_FILES)
    process = daemon.start(_DOCKERD, {})
    STARTED.write_text(f"{process.pid} {process.create_time()}\n")


def _forget_the_dead(pid_files: Iterable[Path]) -> None:
    """Remove the files of processes that have ended: dockerd takes one that nobody has waited for yet for alive.

    It refuses to start for its own, and waits 15 s in vain for a containerd that died with the engine before it.
    """
    for path in pid_files:
        try:
            dead = psutil.Process(int(path.read_text())).status() == psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, ValueError):
            dead = True
        except FileNotFoundError:
            continue
        if dead:
            path.unlink(missing_ok=True)


def stop_engine(home: Home) -> bool:
    """Stop the engine if Headway started it as a process of its own; return whether it did."""
    return _daemon(home).stop()


def engine_version() -> str | None:
    """Return the version of the engine that answers, or none."""
    try:
        client = docker.from_env(timeout=10)
        try:
            return str(client.version()["Version"])
        finally:
            client.close()
    except (DockerException, requests.RequestException):
        return None


def is_live_restored() -> bool:
    """Whether what the engine runs lives on while the engine itself is dead; an engine must answer."""
    client = docker.from_env(timeout=10)
    try:
        return bool(client.info().get("LiveRestoreEnabled"))
    finally:
        client.close()


def wait_for_engine(daemon: Daemon | None, answers: Callable[[], str | None], seconds: float = START_SECONDS) -> str:
    """Return the version as soon as the engine answers; Rejected with the log's end when it ends or stays silent."""

    def has_ended() -> bool:
        return daemon is not None and daemon.process() is None and not is_running()

    if version := until(answers, seconds=seconds, every=0.1, unless=has_ended):
        return version
    what = "ended at once" if has_ended() else f"did not answer within {seconds:g} s"
    log = f"the end of {daemon.log}:\n{daemon.last_lines()}" if daemon else "see `journalctl -u docker`"
    raise Rejected(f"dockerd {what}; {log}")


def _carry_out(steps: tuple[Step, ...], daemon: Daemon) -> str:
    if "configure" in steps:  # before the installation: the package may start the engine itself
        DAEMON_JSON.parent.mkdir(parents=True, exist_ok=True)
        DAEMON_JSON.write_text(SETTINGS)
    if "install" in steps:
        apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run([*apt, "update"], timeout_seconds=300, env=quiet)
        run([*apt, "install", "-y", "--no-install-recommends", *PACKAGES], timeout_seconds=900, env=quiet)
        if version := engine_version():
            return version
    if "systemctl" in steps:
        run(["systemctl", "start", "docker"], timeout_seconds=90)
        return wait_for_engine(None, engine_version)
    _start(daemon)
    return wait_for_engine(daemon, engine_version)


def _look() -> HostFacts:
    try:
        release = platform.freedesktop_os_release()
    except OSError:  # not Linux
        release = {}
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return HostFacts(
        docker_host=os.environ.get("DOCKER_HOST") or None,
        socket_denied=is_denied(),
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        debian=bool(family & {"debian", "ubuntu"}) and shutil.which("apt-get") is not None,
        dockerd=shutil.which("dockerd") is not None,
        systemd=SYSTEMD.is_dir(),
        configured=DAEMON_JSON.exists(),
    )


def _daemon(home: Home) -> Daemon:
    return Daemon("dockerd", home.root / "daemons", home.logs / "dockerd.log")


def _missing(found: str, next_step: str) -> Misconfigured:
    return Misconfigured("Docker", found, next_step=next_step)
