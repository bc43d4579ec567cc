"""Where this process is, and whether another one of the same process table is still the one it was."""

import os
import platform
from functools import cache
from pathlib import Path

import psutil

from delivery.ports.heartbeats import Whereabouts

STATE, STARTED = 0, 19  # after the name, which may hold anything: fields 3 and 22 of proc_pid_stat(5)


def nobody() -> str:
    """Return no platform: what is said so is everybody's."""
    return ""


@cache
def here() -> Whereabouts:
    """Return where this process is; what the system does not tell is empty."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return Whereabouts(
        hostname=platform.node(),
        machine=_read("/etc/machine-id"),
        boot=_read("/proc/sys/kernel/random/boot_id"),
        namespace=namespace,
    )


def started(process: int) -> float | None:
    """Return when a process of this process table was started, or none when it is not there or only not yet buried.

    In ticks since the machine's start: a clock that is set makes it nobody else. Without /proc, in seconds since 1970.
    """
    if not Path("/proc/self/stat").exists():
        return _created(process)
    try:
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[STATE] in ("Z", "X") else float(fields[STARTED])


def _created(process: int) -> float | None:
    try:
        found = psutil.Process(process)
        return None if found.status() == psutil.STATUS_ZOMBIE else round(found.create_time())
    except psutil.NoSuchProcess:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
