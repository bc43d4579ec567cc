"""What the keeper keeps: engine, server, worker, containers, and that what dead runs began is ended."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from delivery.changes.heartbeat import FolderHeartbeats, end_leases_of_the_dead
from delivery.docker.engine.client import connect
from delivery.docker.images.registry import ensure_registry
from delivery.docker.images.registry_state import PROBE_SECONDS, look_at_registry, read_record
from delivery.docker.target.lifecycle import LOOK_SECONDS, NOT_STARTED, ExitedContainer, find_exited, start_exited
from delivery.home import Home
from delivery.platform.backoff import Backoff
from delivery.platform.engine import engine_died, launch_engine
from delivery.platform.keeper import Duty
from delivery.platform.orchestrator import Orchestrator
from delivery.platform.receiver_daemon import ensure_receiver, receiver_is_missing
from delivery.state import open_leases

SILENT_SECONDS = 60.0
SLOW_ROUNDS = 5
AGAIN = "it had died and is started again"


def duties_of(home: Home) -> list[Duty]:
    """Return the duties in the order in which one needs the other."""
    prefect = Orchestrator(home)

    def engine() -> str:
        return AGAIN if launch_engine(home) else "it had died, and is being started by somebody else"

    def server() -> str:
        prefect.launch_server()
        return AGAIN

    def worker() -> str:
        prefect.start_worker()
        return AGAIN

    def receiver() -> str:
        ensure_receiver(prefect)
        return AGAIN

    silence, exited, recovery = Silence(prefect), ExitedContainers(home), Recovery(home, prefect)
    return [
        Duty("Docker", lambda: engine_died(home), engine),
        Duty("Prefect server", lambda: not prefect.elsewhere and prefect.server.process() is None, server),
        Duty("Prefect server's answers", silence.is_long, silence.describe, rounds=SLOW_ROUNDS),
        Duty("worker", lambda: prefect.worker.process() is None and prefect.answers(), worker),
        Duty("hooks", lambda: receiver_is_missing(home), receiver),
        # Each look at a bucket is a request, and costs.
        Duty("recovery", recovery.is_needed, recovery.start, rounds=SLOW_ROUNDS if home.bucket else 1),
        Duty("registry", lambda: registry_is_missing(home), lambda: restore_registry(home), rounds=SLOW_ROUNDS),
        Duty("containers", exited.are_there, exited.start, rounds=SLOW_ROUNDS, paces_itself=True),
    ]


def registry_is_missing(home: Home) -> bool:
    """Whether the registry that there was cannot be pushed to, nor pulled from."""
    record = read_record(home)
    if record is None or _answers(record.address):
        return False
    return bool(look_at_registry(home, connect(timeout_seconds=LOOK_SECONDS, patience_seconds=0)).problem)


def restore_registry(home: Home) -> str:
    """Start it again where it was, because the platform's blocks name that address; say what was wrong with it."""
    state = look_at_registry(home, connect(timeout_seconds=LOOK_SECONDS, patience_seconds=0))
    restored = ensure_registry(home, may_move=False)
    return "; ".join([f"{state.problem or 'it did not answer'}: started again", *restored.news])


def _answers(address: str) -> bool:
    """Whether it answers from here; where it does not, the engine is asked: it may be another machine's."""
    try:
        status = httpx.get(f"http://{address}/v2/", timeout=PROBE_SECONDS, trust_env=False).status_code
        return status in (httpx.codes.OK, httpx.codes.UNAUTHORIZED)  # asked without its key
    except httpx.HTTPError:
        return False


class Silence:
    """A server that lives and does not answer: only told, because what it does may be somebody's migration."""

    def __init__(self, prefect: Orchestrator, now: Callable[[], float] = time.monotonic) -> None:
        self._prefect, self._now = prefect, now
        self._heard = now()

    def is_long(self) -> bool:
        """Whether it has lasted for a minute."""
        if not self._prefect.is_expected_to_answer or self._prefect.answers():
            self._heard = self._now()
        return self._now() - self._heard > SILENT_SECONDS

    def describe(self) -> str:
        """Say what a person can do about it."""
        if self._prefect.elsewhere:
            return f"none for {SILENT_SECONDS:g} s from {self._prefect.api}, which PREFECT_API_URL names"
        return f"none for {SILENT_SECONDS:g} s although it runs; see {self._prefect.server.log}"


class ExitedContainers:
    """Containers of environments that nobody changes, that were stopped by somebody else.

    Each has pauses of its own: one that cannot be started keeps no other waiting.
    """

    def __init__(self, home: Home, now: Callable[[], float] = time.monotonic) -> None:
        self._home, self._leases, self._now = home, open_leases(home), now
        self._found: list[ExitedContainer] = []
        self._pauses: dict[str, Backoff] = {}
        self._told: dict[str, str] = {}

    def are_there(self) -> bool:
        """Look at the engine first and at the leases then: what a change makes after this look is not touched."""
        found = find_exited(self._home)
        free = [one for one in found if one.environment is None or self._is_free(one.app, one.environment)]
        self._told = {one.id: self._told[one.id] for one in free if one.id in self._told}
        for identity in self._pauses.keys() - {one.id for one in free}:
            self._pauses[identity].is_well()
        for one in free:
            self._pauses.setdefault(one.id, Backoff(self._now))
        self._found = [one for one in free if self._pauses[one.id].is_due]
        return bool(self._found)

    def start(self) -> str:
        """Start them; said is which were, and which cannot be, with the reason, unless that was said before."""
        for one in self._found:
            self._pauses[one.id].tried()
        failed = start_exited(self._found)
        started = [one.name for one in self._found if one.id not in failed]
        said = [f"started again: {', '.join(started)}"] if started else []
        for one in self._found:
            if one.id in failed and self._told.get(one.id) != failed[one.id]:
                where = f" ({one.environment} of {one.app})" if one.environment else ""
                said.append(f"{one.name}{where} {NOT_STARTED}: {failed[one.id]}")
        self._told |= failed
        return "; ".join(said)

    def _is_free(self, app: str, environment: str) -> bool:
        return self._leases.read(app, environment).holder is None


class Recovery:
    """`headway recover` in a process of its own, one at a time: when a run has died or a lease has run out."""

    def __init__(self, home: Home, prefect: Orchestrator) -> None:
        self._leases, self._heartbeats, self._prefect = open_leases(home), FolderHeartbeats.of(home), prefect
        self._why: list[str] = []

    def is_needed(self) -> bool:
        """Whether something waits for it, and it can run."""
        end_leases_of_the_dead(self._leases, self._heartbeats)
        now = datetime.now(UTC)
        left = [lease for lease in self._leases.all() if lease.is_abandoned(now) and self._leases.is_ours(lease)]
        self._why = [f"{lease.environment} of {lease.app}, left by {lease.holder}" for lease in left]
        with self._heartbeats.alone() as alone:  # else somebody looks after them just now
            dead = self._heartbeats.unattended() if alone else []
        self._why += [f"run {heartbeat.run}, whose process died" for heartbeat in dead]
        return bool(self._why) and self._prefect.recovery.process() is None and self._prefect.answers()

    def start(self) -> str:
        """Start it."""
        self._prefect.start_recovery()
        return f"started for {'; '.join(self._why)}"
