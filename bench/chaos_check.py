"""Whether a place is whole again: looked at through the engine, the router and the users' port."""

import http.client
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from docker.errors import DockerException

from bench.chaos_kill import daemon_of, instances_of
from bench.chaos_platform import ENVIRONMENT, ChaosPlatform, Town, as_json
from delivery.changes.ledger import LABEL_PLATFORM
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.sweep import find_orphans
from delivery.docker.target.router import find_router
from delivery.errors import HeadwayError
from delivery.programs.haproxy import weights_in

ANSWERS = 6
COLOUR = re.compile(r"-(blue|green)(?=-|$)")
DAEMONS = ("server", "worker", "keeper")


@dataclass(frozen=True)
class Look:
    """What was found wrong with a place; whole when there is nothing."""

    problems: tuple[str, ...]
    is_mixed: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def look_at(platform: ChaosPlatform, town: Town, run: str, *, at_all: bool = False) -> Look:
    """Look at one place and the run that was to change it; at the slots when nothing is under way, or `at_all`."""
    lease, change = _lease_problems(platform, town), _unfinished(platform, town)
    state = platform.run_state(run)
    early = [*lease, *change]
    if state[0] not in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
        early.append(f"the run is {state[1] or 'unknown'}: {state[2]}")
    if early and not at_all:
        return Look(tuple(early), False)
    try:
        slots = _look_at_slots(platform, town)
    except (DockerException, HeadwayError, OSError, http.client.HTTPException) as error:
        slots = Look((f"{type(error).__name__}: {error}",), False)
    return Look((*early, *slots.problems), slots.is_mixed)


def look_at_platform(platform: ChaosPlatform, daemons: set[str], things: set[str]) -> list[str]:
    """Return what is wrong with everything that is not a place's: processes that do not live, things left over."""
    problems = [f"the {name} is dead" for name in sorted(daemons - living_daemons(platform))]
    if not platform.prefect.answers():
        problems.append("the server does not answer")
    try:
        left = things_of(platform) ^ things
        orphans = find_orphans(platform.home.identity, living=(), older_than=timedelta(0))
    except (HeadwayError, DockerException, OSError) as error:
        return [*problems, f"{type(error).__name__}: {error}"]
    return problems + [f"left over or missing: {name}" for name in sorted(left)] + [f"orphan {o.name}" for o in orphans]


def living_daemons(platform: ChaosPlatform) -> set[str]:
    """Return which of the platform's own processes live."""
    return {name for name in DAEMONS if daemon_of(platform, name).process()}


def things_of(platform: ChaosPlatform) -> set[str]:
    """Return every container, network and volume of the platform; the slots' colours, which change, left out."""
    labelled = {"label": f"{LABEL_PLATFORM}={platform.home.identity}"}
    api = platform.engine.api
    names = [f"container {entry['Names'][0].lstrip('/')}" for entry in api.containers(all=True, filters=labelled)]
    names += [f"network {entry['Name']}" for entry in api.networks(filters=labelled)]
    names += [f"volume {entry['Name']}" for entry in api.volumes(filters=labelled)["Volumes"] or []]
    return {COLOUR.sub("-slot", name) for name in names}


def evidence(platform: ChaosPlatform, town: Town, run: str) -> dict[str, Any]:
    """Return everything that tells why a place is not whole."""
    journal = []
    folder = platform.home.store / "journal" / town.name / ENVIRONMENT
    for path in sorted(folder.rglob("*.json"))[-30:]:
        entry = as_json(path) or {}
        journal.append(f"{path.parent.name} {path.stem} run {entry.get('run')} {entry.get('detail', '')}")
    logs = {name: daemon_of(platform, name).last_lines(40).splitlines() for name in (*DAEMONS, "recovery")}
    found: dict[str, Any] = {"journal": journal, "run": platform.run_state(run), "logs": logs}
    found["lease"] = as_json(platform.home.leases / f"{town.name}.{ENVIRONMENT}.json")
    try:
        found["instances"], found["router"] = instances_of(platform, town), _weights(platform, town)
    except (DockerException, HeadwayError, OSError) as error:
        found["engine"] = str(error)
    try:
        wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_DESC", "limit": 60}
        found["log"] = [line["message"] for line in reversed(platform.ask("POST", "/logs/filter", json=wanted))]
    except Exception as error:
        found["log"] = [f"{type(error).__name__}: {error}"]
    return found


def _lease_problems(platform: ChaosPlatform, town: Town) -> list[str]:
    lease = as_json(platform.home.leases / f"{town.name}.{ENVIRONMENT}.json")
    if lease and lease["holder"] is None:
        return []
    return [f"the lease is held by {lease['holder']} until {lease['expires']}" if lease else "there is no lease"]


def _unfinished(platform: ChaosPlatform, town: Town) -> list[str]:
    """Say what the newest change has begun and not ended: after a `stage intent` comes a `done` of the end."""
    last = ""
    names = sorted((platform.home.store / "journal" / town.name / ENVIRONMENT).rglob("*.json"), reverse=True)
    for path in names:
        _, verb, stage = path.stem.rsplit("-", 2)
        last = last or f"{verb} {stage}"
        if stage == "done" and verb in ("retire", "withdraw"):
            return []
        if (verb, stage) == ("stage", "intent"):
            return [f"the journal ends with {last}"]
    return ["the journal is empty"]


def _look_at_slots(platform: ChaosPlatform, town: Town) -> Look:
    instances, weights = instances_of(platform, town), _weights(platform, town)
    slots = {slot for slot, _, _ in instances}
    releases = {fingerprint for _, fingerprint, _ in instances}
    taking = {server.partition("-")[0] for server, (_, weight) in weights.items() if weight}
    problems = []
    if len(slots) != 1 or len(releases) != 1:
        problems.append(f"instances of {len(releases)} releases in {len(slots)} slots: {sorted(instances)}")
    if taking != slots:
        problems.append(f"traffic goes to {sorted(taking)}, instances stand in {sorted(slots)}")
    if len(instances) != town.instances or any(state != "running" for *_, state in instances):
        problems.append(f"{town.instances} running instances were expected: {sorted(instances)}")
    down = [server for server, (status, weight) in weights.items() if weight and not status.startswith("UP")]
    problems += [f"the router says that {server} is down" for server in down]
    if len(weights) != town.instances:
        problems.append(f"the router knows {sorted(weights)}")
    if not problems:
        expected = {town.answer_of(*releases)}
        answered = {_ask(town.port) for _ in range(ANSWERS)}
        problems += [f"answers {sorted(answered)} instead of {sorted(expected)}"] if answered != expected else []
    return Look(tuple(problems), len(slots) > 1 or len(taking) > 1 or len(releases) > 1)


def _weights(platform: ChaosPlatform, town: Town) -> dict[str, tuple[str, int]]:
    """Return server → (status, weight) as the running router tells them."""
    router = find_router(platform.engine, EnvironmentNames(platform.home.identity, town.name, ENVIRONMENT))
    told = {one.server: (one.status, one.weight) for one in router.stat()} if router else {}
    if not router or not told:
        raise OSError("the router does not answer")
    written = {server: weight for (_, server), weight in weights_in(router.file()).items()}
    if written != {server: weight for server, (_, weight) in told.items()}:
        raise OSError(f"the router would come back with {written}, and runs with {told}")
    return told


def _ask(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else str(answer.status)
    finally:
        connection.close()
