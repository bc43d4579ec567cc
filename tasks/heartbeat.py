"""Say which process carries a run, and say it again while it does."""

import threading
from contextlib import suppress

from delivery.changes.heartbeat import FolderHeartbeats
from delivery.home import Home
from delivery.ports.heartbeats import RENEW_SECONDS, Heartbeat, Heartbeats

_ENDED: dict[str, threading.Event] = {}


def heartbeats() -> Heartbeats:
    """Return the heartbeats of this platform."""
    return FolderHeartbeats.of(Home.current())


def enter(run: str, *, begins_again: bool = True) -> None:
    """Write down that this process carries `run`, and whether that is started again when its process dies.

    It is said again until the run is left, because another host cannot look for the process.
    """
    kept = heartbeats()
    heartbeat, ended = kept.enter(run, begins_again=begins_again), threading.Event()
    _stop(run)
    _ENDED[run] = ended
    threading.Thread(target=_renew, args=(kept, heartbeat, ended), name=f"heartbeat {run}", daemon=True).start()


def leave(run: str) -> None:
    """Forget `run`: it has ended, or goes on elsewhere."""
    _stop(run)
    heartbeats().leave(run)


def _renew(kept: Heartbeats, heartbeat: Heartbeat, ended: threading.Event) -> None:
    while not ended.wait(RENEW_SECONDS):
        with suppress(OSError):  # the next one may come through, before the limit
            if not kept.renew(heartbeat):
                return


def _stop(run: str) -> None:
    if earlier := _ENDED.pop(run, None):
        earlier.set()
