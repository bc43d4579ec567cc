"""Space on the Docker engine's disk, as far as it is this machine's."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from docker.errors import DockerException

from delivery.docker.engine.client import connect
from delivery.errors import HeadwayError, Rejected
from delivery.programs.buildkit import says_disk_full

LEAST_BYTES = 1_000_000_000


def free_bytes() -> int | None:
    """Return the free space below the engine's data; none when the engine is on another machine."""
    root = engine_disk()
    return shutil.disk_usage(root).free if root else None


def check_disk(doing: str) -> None:
    """Return when there is room to work; Rejected under a gigabyte."""
    free = free_bytes()
    if free is not None and free < LEAST_BYTES:
        raise Rejected(f"{doing}: {disk_message(free)}")


def engine_disk() -> Path | None:
    """Return the folder of the engine's data; none when the engine is on another machine."""
    if not os.environ.get("DOCKER_HOST", "unix://").startswith("unix://"):
        return None
    root = Path(connect().info()["DockerRootDir"])
    return root if root.exists() else None


def refused(doing: str, reason: str) -> Rejected:
    """Return the refusal of the engine; where its disk is full, how much is left and what to do stands there."""
    if not says_disk_full(reason):
        return Rejected(f"{doing}: {reason}")
    free = None
    with suppress(HeadwayError, DockerException, OSError):  # the engine may have ended with it
        free = free_bytes()
    return Rejected(f"{doing}: {reason}; {disk_message(free)}")


def disk_message(free: int | None) -> str:
    """Say how much is left and what to do about it."""
    left = "" if free is None else f" ({free / 1e9:.1f} GB left, {LEAST_BYTES / 1e9:.0f} GB needed)"
    return f"the Docker engine's disk is full{left}\n  next: docker system df shows what takes the space"
