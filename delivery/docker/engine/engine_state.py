"""Whether a Docker engine that does not answer is about to: one that is restarted is waited for, not complained of."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil

from delivery.errors import Rejected
from delivery.programs.run import run
from delivery.waiting import until

T = TypeVar("T")
SOCKET = Path("/var/run/docker.sock")
PID_FILE = Path("/var/run/docker.pid")
STARTED = Path("/var/run/headway-dockerd.pid")  # of the engine that a platform of this machine started last
SYSTEMD = Path("/run/systemd/system")
PATIENCE_SECONDS = 60.0  # a restart stops and finds again every container
POLL_SECONDS = 0.2
_SHOW = ["systemctl", "show", "docker.service", "--property=ActiveState", "--property=Job"]
_COMING = ("active", "activating", "deactivating", "reloading")


def await_engine(
    answer: Callable[[], T | None], host: str | None = None, seconds: float = PATIENCE_SECONDS
) -> T | None:
    """Return the first answer while the engine at `host` is on its way; none when it is not, or takes too long."""
    if is_on_its_way(host):
        found = until(answer, seconds=seconds, every=POLL_SECONDS, unless=lambda: not is_on_its_way(host))
        if found:
            return found
    return answer()  # it may have come just before it was no longer on its way


def is_on_its_way(host: str | None = None) -> bool:
    """Whether this machine's engine is being started, or restarted; of another machine's nothing is known."""
    address = host or os.environ.get("DOCKER_HOST") or f"unix://{SOCKET}"
    if address not in (f"unix://{SOCKET}", "unix:///run/docker.sock", "unix://"):
        return False
    if is_denied():
        return False
    return is_running() or _is_wanted_by_systemd()


def is_denied() -> bool:
    """Whether the socket is there and this user may not use it."""
    return SOCKET.exists() and not os.access(SOCKET, os.W_OK)


def is_running() -> bool:
    """Whether there is a process of the engine, whether it answers or not."""
    return any(_is_dockerd(process) for process in _noted())


def _noted() -> Iterator[psutil.Process]:
    for path in (PID_FILE, STARTED):
        try:
            pid, *started = path.read_text().split()
            process = psutil.Process(int(pid))
            if not started or abs(process.create_time() - float(started[0])) < 1:
                yield process
        except (OSError, ValueError, psutil.Error):
            continue


def _is_dockerd(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.name() == "dockerd"
    except psutil.Error:
        return False


def _is_wanted_by_systemd() -> bool:
    """Whether systemd has the engine running, or starts, stops or restarts it just now."""
    if not SYSTEMD.is_dir():
        return False
    try:
        said = run(_SHOW, timeout_seconds=10).stdout
    except Rejected:
        return False
    told = dict(line.partition("=")[::2] for line in said.splitlines())
    return told.get("ActiveState") in _COMING or told.get("Job", "0") not in ("", "0")
