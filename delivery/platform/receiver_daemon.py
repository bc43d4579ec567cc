"""The receiver as a process of the platform: there where somebody may send something, from `up` to `down`."""

import sys

from filelock import FileLock

from delivery.home import Home
from delivery.hooks.connections import Connections
from delivery.platform.daemon import Daemon
from delivery.platform.orchestrator import Orchestrator


def receiver_daemon(home: Home) -> Daemon:
    """Return the receiver's process."""
    return Daemon("hooks", home.root / "daemons", home.logs / "hooks.log")


def receiver_is_missing(home: Home) -> bool:
    """Whether somebody may send something, and nobody listens."""
    return Connections(home).are_there and receiver_daemon(home).process() is None


def ensure_receiver(prefect: Orchestrator) -> None:
    """Start the receiver where it is needed, unless it runs; return at once."""
    with _alone(prefect.home):
        _ensure(prefect)


def restart_receiver(prefect: Orchestrator) -> None:
    """Make the receiver be as it is described now, while the platform is up: none where nobody may send anything."""
    with _alone(prefect.home):
        receiver_daemon(prefect.home).stop()
        if prefect.home.up.exists():
            _ensure(prefect)


def _ensure(prefect: Orchestrator) -> None:
    if receiver_is_missing(prefect.home):
        receiver_daemon(prefect.home).start([sys.executable, "-m", "cli", "hooks", "serve"], prefect.environment())


def _alone(home: Home) -> FileLock:
    """Keep the keeper from starting the one that is just being stopped: nobody would find it again."""
    folder = home.root / "daemons"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "hooks.change.lock")
