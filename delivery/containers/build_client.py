"""Which program on this machine builds images."""

import functools
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from delivery.containers.client import connect
from delivery.errors import Rejected
from delivery.programs import buildkit
from delivery.programs.buildkit import Builder
from delivery.programs.run import run

PROBE_SECONDS = 20

_log = logging.getLogger("headway.builder")


@functools.cache
def find_builder(search_path: str | None = None) -> Builder:
    """Return the best builder on `search_path` (PATH): buildx, a docker with BuildKit in it, Compose, the old one."""
    dockers = list(_programs("docker", search_path))
    composes = [str(Path(sys.executable).parent / "docker-compose"), *_programs("docker-compose", search_path)]
    candidates: list[tuple[buildkit.Kind, list[str], list[str], Callable[[str], str | None]]] = [
        ("buildx", dockers, ["buildx", "version"], buildkit.buildx_version),
        ("docker", dockers, ["--version"], buildkit.built_in_version),
        ("compose", composes, ["version"], buildkit.compose_version),
    ]
    for kind, programs, question, understand in candidates:
        for program in programs:
            version = understand(_answer([program, *question]))
            if version:
                return Builder(kind=kind, program=program, version=version)
    classic = Builder(kind="classic", version=str(connect().version()["Version"]))
    _log.warning("no BuildKit client found: images are built with the slow %s; install docker-buildx", classic)
    return classic


def _programs(name: str, search_path: str | None) -> Iterator[str]:
    """Yield every program of that name, each once; several versions on one PATH are not rare."""
    seen: set[Path] = set()
    for folder in (search_path if search_path is not None else os.environ.get("PATH", "")).split(os.pathsep):
        found = shutil.which(name, path=folder) if folder else None
        if found and (real := Path(found).resolve()) not in seen:
            seen.add(real)
            yield found


def _answer(argv: list[str]) -> str:
    try:
        return run(argv, timeout_seconds=PROBE_SECONDS).stdout
    except (Rejected, OSError):
        return ""
