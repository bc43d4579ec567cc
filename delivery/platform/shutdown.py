"""Stop what the platform started on this machine, or remove it for good."""

import contextlib
import errno
import functools
import os
import shutil
from pathlib import Path

from pydantic import Field

from delivery.changes.heartbeat import FolderHeartbeats
from delivery.changes.kept import RECORD
from delivery.changes.ledger import LABEL_APP, LABEL_PLATFORM
from delivery.docker.engine.client import connect
from delivery.docker.engine.engine_state import await_engine
from delivery.docker.engine.hosts import known_hosts, on_each
from delivery.docker.engine.sweep import remove_labelled, things
from delivery.docker.images.registry import stop_registry
from delivery.docker.target.lifecycle import KeptVolume, find_volumes, pause_environments, purge_environments
from delivery.docker.target.removal import remove_carried
from delivery.errors import HeadwayError, Misconfigured, Rejected
from delivery.home import Home
from delivery.model import Model
from delivery.platform.engine import engine_version, stop_engine
from delivery.platform.local_aws import LocalAws
from delivery.platform.orchestrator import Orchestrator
from delivery.platform.receiver_daemon import receiver_daemon
from delivery.state import open_leases

SHOWN = 10
CLEAR = "let go of them (lsattr shows what may not be changed, lsof who has it), then headway down --purge again"


def stop_platform(home: Home) -> list[str]:
    """Stop all that runs of the platform, and Docker when Headway started it; return what ran."""
    stopped = _stop_processes(home)
    if engine_version() is not None:
        stopped += [f"environment {name}" for name in pause_environments(home)]
        stopped += ["registry"] if stop_registry(home) else []
    return [*stopped, *(["Docker"] if stop_engine(home) else [])]


def _stop_processes(home: Home) -> list[str]:
    """Stop all processes, the keeper first, and return what ran."""
    stopped = Orchestrator(home).stop()
    stopped += ["hooks"] if receiver_daemon(home).stop() else []
    return [*stopped, *(["local AWS"] if LocalAws(home).stop() else [])]


class Losses(Model):
    """What a purge destroys that nobody can make again, and what it ends."""

    volumes: tuple[KeptVolume, ...] = ()
    unreached: tuple[str, ...] = Field(
        (), description="engines of other machines that do not answer: what is there stays"
    )
    backups: int = 0
    runs: tuple[str, ...] = ()


def find_losses(home: Home) -> Losses:
    """Return what a purge would destroy; changes nothing. Misconfigured when no engine says what there is."""
    holders = dict[str, str]()
    with contextlib.suppress(HeadwayError):  # a bucket that is not reached keeps nobody from removing the rest
        holders = {lease.holder: lease.describe() for lease in open_leases(home).all() if lease.holder}
    if not _has_identity(home):
        return Losses()
    kept = FolderHeartbeats.of(home)
    ours = sorted(run for run in kept.alive() if (found := kept.find(run)) and kept.is_ours(found))
    runs = tuple(holders.get(run, f"run {run}") for run in ours)
    if (engine_version() or await_engine(engine_version)) is None:
        raise Misconfigured(
            "headway down --purge",
            "no Docker engine answers, so it is not known which databases would be destroyed",
            next_step=f"headway up, then again; where Docker is gone for good, remove the folder {home.root} yourself",
        )
    backups = list(home.backups.glob(f"*/*/[!.]*/{RECORD}")) if home.backups.is_relative_to(home.root) else []
    volumes, unreached = _volumes_of(home)
    return Losses(volumes=volumes, unreached=unreached, backups=len(backups), runs=runs)


def _volumes_of(home: Home) -> tuple[tuple[KeptVolume, ...], tuple[str, ...]]:
    """Return the volumes on every engine, and which engines of other machines do not answer."""
    volumes, unreached = [*find_volumes(home)], list[str]()
    for host in filter(None, known_hosts(home)):
        try:
            volumes += find_volumes(home, host)
        except HeadwayError:
            unreached.append(host)
    return tuple(volumes), tuple(unreached)


def _has_identity(home: Home) -> bool:
    """Whether there can be anything on an engine that is this platform's."""
    return (home.root / "identity").exists()


def purge_platform(home: Home) -> list[str]:
    """Remove everything of the platform: environments with their databases, registry, state; return what there was.

    A home that is a mount point stays as an empty folder. Raises Rejected, with the paths and all else removed, when
    files cannot be.
    """
    removed = _stop_processes(home)
    if _has_identity(home) and engine_version() is not None:
        removed += [f"environment {name}" for name in on_each(home, functools.partial(_purge_engine, home))]
        removed += ["registry"] if stop_registry(home) else []
        remove_labelled(connect(), {LABEL_PLATFORM: home.identity})
    removed += ["Docker"] if stop_engine(home) else []
    if home.root.exists():
        if left := clear(home.root):
            told = [f"all of {home.root} is removed but:", *left[:SHOWN]]
            raise Rejected("\n".join([*told, f"  next: {CLEAR}"]))
        removed.append(str(home.root))
    return removed


def _purge_engine(home: Home, host: str | None) -> list[str]:
    """Remove what the platform has on an engine, and return what the environments there were called."""
    if host is None:
        return purge_environments(home)
    labels = {LABEL_PLATFORM: home.identity}
    apps = {labelled[LABEL_APP] for *_, labelled, _ in things(connect(host), labels) if LABEL_APP in labelled}
    names = [f"{name} at {host}" for name in purge_environments(home, host)]
    remove_labelled(connect(host), labels)
    for app in apps:
        remove_carried(app, host)
    return names


def clear(root: Path) -> list[str]:
    """Remove a folder and return, in words, what of it cannot be; mount points stay, empty."""
    left = list[str]()

    def told(_: object, path: str, failure: tuple[type[BaseException], BaseException, object]) -> None:
        error = failure[1]
        code = error.errno if isinstance(error, OSError) else None
        is_mount = code == errno.EBUSY and os.path.ismount(path)
        if not is_mount and code not in (errno.ENOTEMPTY, errno.ENOENT):  # what is in it is told of
            left.append(f"  {path}: {os.strerror(code) if code else error}")

    shutil.rmtree(root, onerror=told)
    return left
