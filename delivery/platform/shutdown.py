"""Stop what the platform started on this machine, or remove it for good."""

import shutil

from delivery.containers.client import connect
from delivery.containers.registry import stop_registry
from delivery.containers.standing import pause_environments, purge_environments
from delivery.containers.sweep import remove_labelled
from delivery.home import Home
from delivery.ledger import LABEL_PLATFORM
from delivery.platform.engine import engine_version, stop_engine
from delivery.platform.orchestrator import Orchestrator


def stop_platform(home: Home) -> list[str]:
    """Stop keeper, worker, server, environments, registry, and Docker when Headway started it; return what ran."""
    stopped = Orchestrator(home).stop()
    if engine_version() is not None:
        stopped += [f"environment {name}" for name in pause_environments(home)]
        stopped += ["registry"] if stop_registry(home) else []
    return [*stopped, *(["Docker"] if stop_engine(home) else [])]


def purge_platform(home: Home) -> list[str]:
    """Remove everything of the platform: environments with their databases, registry, state; return what there was."""
    removed = Orchestrator(home).stop()
    if engine_version() is not None:
        removed += [f"environment {name}" for name in purge_environments(home)]
        removed += ["registry"] if stop_registry(home) else []
        remove_labelled(connect(), {LABEL_PLATFORM: home.identity})
    removed += ["Docker"] if stop_engine(home) else []
    if home.root.exists():
        shutil.rmtree(home.root)
        removed.append(str(home.root))
    return removed
