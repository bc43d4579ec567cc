"""Heartbeats of runs whose process is no more."""

from datetime import UTC, datetime
from pathlib import Path

from delivery.changes.processes import here
from delivery.ports.heartbeats import Heartbeat

NOBODY = 2**22 + 1  # no process has such a number


def died(folder: Path, run: str, **more: object) -> Heartbeat:
    """Leave the heartbeat of a run whose process died on this host, and return it."""
    fields = {"run": run, "where": here(), "process": NOBODY, "started": 1, "at": datetime.now(UTC)}
    dead = Heartbeat.model_validate(fields | more)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run}.json").write_text(dead.model_dump_json())
    return dead
