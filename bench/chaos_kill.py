"""Find what carries a change, wait for the moment, and kill it."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.chaos_plan import Kill, Moment, Victim
from bench.chaos_platform import ENVIRONMENT, ChaosPlatform, Town, as_json
from delivery.changes.heartbeat import FolderHeartbeats
from delivery.changes.journal import LAST_SEQUENCE, NEWEST_FIRST
from delivery.changes.ledger import LABEL_APP, LABEL_PLATFORM, LABEL_RELEASE, LABEL_ROLE, LABEL_SLOT
from delivery.errors import Rejected
from delivery.platform.daemon import Daemon
from delivery.releases.release import Release

LOOK_SECONDS = 0.001
MOMENT_SECONDS = 300  # longer than any change takes on a busy machine, recovery included


@dataclass(frozen=True)
class Death:
    """One process that was killed: when, and how long after the line of the journal it waited for was there."""

    victim: str
    at: float
    lag_ms: float | None
    processes: int


class Change:
    """One change of a place as its journal tells it; a change has a sequence of its own, and so has its recovery."""

    def __init__(self, platform: ChaosPlatform, town: Town) -> None:
        self.platform, self.town = platform, town
        self.folder = platform.home.store / "journal" / town.name / ENVIRONMENT
        self.before = self.newest()
        self.run = ""

    def begin(self) -> None:
        """Let the worker go to the other release."""
        live = self.live_fingerprint()
        self.run = self.platform.start_change(self.town, self.town.other(live))

    def newest(self) -> int:
        """Return the newest sequence the journal speaks of."""
        return max(self.sequences(), default=0)

    def sequences(self) -> list[int]:
        """Return the sequences the journal speaks of, in order."""
        newest_first = self.folder / NEWEST_FIRST
        return sorted(LAST_SEQUENCE - int(name) for name in os.listdir(newest_first)) if newest_first.exists() else []

    def lease(self) -> dict[str, Any]:
        """Return the lease of the place as it is written."""
        return dict(as_json(self.platform.home.leases / f"{self.town.name}.{ENVIRONMENT}.json") or {})

    def live_fingerprint(self) -> str:
        """Return the release whose instances the engine runs."""
        found = {fingerprint for _, fingerprint, _ in instances_of(self.platform, self.town)}
        if len(found) != 1:
            raise Rejected(f"{self.town.name} has instances of {len(found)} releases before its change")
        return found.pop()

    def wait(self, moment: Moment, after: int, usual_seconds: float) -> Path | None:
        """Return at `moment` of the first change after sequence `after`, with the line of the journal that says so."""
        deadline = time.monotonic() + MOMENT_SECONDS
        if not moment.verb:
            self._until(self.process, deadline)
            time.sleep(moment.share * usual_seconds)
            return None
        ending = f"-{moment.verb}-{moment.stage}.json"
        while True:
            for sequence in [one for one in self.sequences() if one > after]:
                lines = self.lines(sequence, ending)
                if len(lines) >= moment.number:
                    return lines[moment.number - 1]
            if time.monotonic() > deadline:
                _, name, message = self.platform.run_state(self.run)
                raise Rejected(f"the journal of {self.town.name} never said {moment}; the run is {name}: {message}")
            time.sleep(LOOK_SECONDS)

    def process(self, run: str = "") -> psutil.Process | None:
        """Return the process that carries `run`: the change's own when it is left out."""
        kept = FolderHeartbeats(self.platform.home.heartbeats)
        found = kept.find(run or self.run)
        return psutil.Process(found.process) if found and kept.is_alive(found) else None

    def lines(self, sequence: int, ending: str) -> list[Path]:
        """Return the journal's lines under a sequence that end so, oldest first."""
        folder = self.folder / NEWEST_FIRST / f"{LAST_SEQUENCE - sequence:08d}"
        names = sorted(name for name in os.listdir(folder) if name.endswith(ending) and name[0] != ".")
        return [folder / name for name in names]

    def _until(self, condition: Callable[[], object], deadline: float) -> None:
        while not condition():
            if time.monotonic() > deadline:
                raise Rejected(f"the change of {self.town.name} did not begin")
            time.sleep(LOOK_SECONDS)


def carry_out(kill: Kill, change: Change, usual_seconds: float) -> list[Death]:
    """Wait for the moment and kill; an empty list says that there was nothing to kill any more."""
    first = Victim.FLOW if kill.victim is Victim.RECOVERY else kill.victim
    line = change.wait(kill.moment, change.before, usual_seconds)
    deaths = _kill(first, change, line)
    if kill.then and deaths:
        # Whoever ends the change does so under a sequence of its own.
        line = change.wait(kill.then, change.newest(), usual_seconds)
        deaths += _kill(kill.victim, change, line)
    return deaths


def _kill(victim: Victim, change: Change, line: Path | None) -> list[Death]:
    processes = find(victim, change, line)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    now = time.time()
    lag = None if line is None else round(1000 * (now - line.stat().st_ctime), 1)
    return [Death(str(victim), now, lag, len(processes))] if processes else []


def find(victim: Victim, change: Change, line: Path | None = None) -> list[psutil.Process]:
    """Return the processes to kill, as they are now."""
    if victim is Victim.FLOW:
        carrier = change.process()
        return [carrier] if carrier else []
    if victim is Victim.RECOVERY:
        carrier = change.process(as_json(line)["run"]) if line else None
        return [carrier] if carrier else []
    if victim is Victim.ROUTER:
        return router_processes(change.platform, change.town)
    daemon = daemon_of(change.platform, str(victim)).process()
    return [daemon] if daemon else []


def daemon_of(platform: ChaosPlatform, name: str) -> Daemon:
    """Return one of the platform's background processes by its name."""
    return Daemon(name, platform.home.root / "daemons", platform.home.logs / f"{name}.log")


def router_processes(platform: ChaosPlatform, town: Town) -> list[psutil.Process]:
    """Return the processes of a place's router as this machine knows them, the first of the container first."""
    found: list[psutil.Process] = []
    for container in platform.engine.containers.list(filters=labels_of(platform, town, "router")):
        first = psutil.Process(container.attrs["State"]["Pid"])
        found += [first, *first.children(recursive=True)]
    return found


def instances_of(platform: ChaosPlatform, town: Town) -> list[tuple[str, str, str]]:
    """Return slot, fingerprint and state of each instance, by the engine's labels alone."""
    entries = platform.engine.api.containers(all=True, filters=labels_of(platform, town, "instance"))
    return [
        (
            entry["Labels"][LABEL_SLOT],
            Release.model_validate_json(entry["Labels"][LABEL_RELEASE]).fingerprint,
            entry["State"],
        )
        for entry in entries
    ]


def labels_of(platform: ChaosPlatform, town: Town, role: str) -> dict[str, list[str]]:
    """Return the engine's filter for what a place has."""
    labels = {LABEL_PLATFORM: platform.home.identity, LABEL_APP: town.name, LABEL_ROLE: role}
    return {"label": [f"{key}={value}" for key, value in labels.items()]}
