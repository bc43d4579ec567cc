"""Results as JSON: sections with when and on what they were measured; nothing names a host or a folder."""

import json
import os
import platform
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from delivery.docker.engine.client import connect

RESULTS = Path(__file__).parent / "results"


def keep(path: Path, section: str, data: Mapping[str, Any]) -> None:
    """Write one section; the others stay as they are."""
    sections = read(path)
    sections[section] = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Return the sections kept before."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def stamp() -> dict[str, Any]:
    """Return when and on what is measured."""
    engine = connect().version()["Version"]
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "engine": engine}
    return {"measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}


def end_by_signal() -> None:
    """Let SIGTERM end this process so that what it made is removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
