"""One round: every place changes, somebody dies, and everything has to be whole again."""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from bench.chaos_check import Look, evidence, living_daemons, look_at, look_at_platform, things_of
from bench.chaos_kill import Change, Death, carry_out
from bench.chaos_plan import LOCAL, Kill
from bench.chaos_platform import ChaosPlatform
from bench.chaos_watch import LeaseWatch, Traffic
from delivery.errors import Rejected

CONVERGE_SECONDS = 180
LOOK_SECONDS = 0.25
STILL_SECONDS = 1.0  # what was whole has to be whole after it as well


@dataclass
class Result:
    """What one death led to; times in seconds."""

    kill: str
    victim: str
    moment: str
    place: str
    lag_ms: list[float | None] = field(default_factory=list)
    missed: str = ""  # why nobody was killed
    run_ended: str = ""
    to_whole: float | None = None
    to_converged: float | None = None
    lease_ended: str = ""
    whole_after_lease: float | None = None
    converged_after_lease: float | None = None
    gap_ms: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)  # places in which a request failed
    requests: int = 0
    is_mixed: bool = False
    leaks: list[str] = field(default_factory=list)
    stuck_lease: bool = False
    problems: list[str] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def has_converged(self) -> bool:
        """Whether everything was whole again in time."""
        return self.to_converged is not None

    @property
    def is_good(self) -> bool:
        """Whether nothing that must not be is so."""
        return self.has_converged and not (self.is_mixed or self.leaks or self.stuck_lease)

    def __str__(self) -> str:
        if self.missed:
            return f"{self.kill} on {self.place}: nobody killed: {self.missed}"
        times = f"whole after {self.to_whole} s, converged after {self.to_converged} s"
        ended = times if self.has_converged else f"NOT CONVERGED: {'; '.join(self.problems)}"
        failed = sum(self.failures.values())
        return f"{self.kill} on {self.place}: {ended}; gap {self.gap_ms:.0f} ms, {failed} of {self.requests} failed"


@dataclass
class Chaos:
    """A platform, its traffic and its leases, for one round after the other."""

    platform: ChaosPlatform
    traffic: Traffic
    leases: LeaseWatch
    usual_seconds: float = 10.0
    rounds: int = 0

    def calm_round(self) -> float:
        """Change every place with nobody dying, and return how long that takes; Rejected when it does not work."""
        things, daemons = things_of(self.platform), living_daemons(self.platform)
        began = time.time()
        changes = self._begin()
        ended = self._converge(changes, things, daemons)
        if problems := [problem for _, look in ended for problem in look.problems]:
            raise Rejected(f"a change with nobody dying does not end well: {problems}")
        self.usual_seconds = _carried_seconds(changes)
        return time.time() - began

    def round(self, kills: Sequence[Kill]) -> list[Result]:
        """Change every place, carry out the kills side by side, one for each place, and return what they led to."""
        things, daemons = things_of(self.platform), living_daemons(self.platform)
        changes = self._begin()
        first = self.rounds % len(changes)
        self.rounds += 1
        hit = [(kill, changes[(first + number) % len(changes)]) for number, kill in enumerate(kills)]
        with ThreadPoolExecutor(len(hit)) as pool:
            deaths = list(pool.map(lambda one: _try(one[0], one[1], self.usual_seconds), hit))
        ended = self._converge(changes, things, daemons)
        return [
            self._result(kill, change, died, changes, ended) for (kill, change), died in zip(hit, deaths, strict=True)
        ]

    def _begin(self) -> list[Change]:
        changes = [Change(self.platform, town) for town in self.platform.towns]
        for change in changes:
            change.begin()
        return changes

    def _converge(self, changes: list[Change], things: set[str], daemons: set[str]) -> list[tuple[float | None, Look]]:
        """Return for each place when it was whole, or none, and what was seen last; the platform's state included."""
        began, whole = time.time(), dict[int, float]()
        while True:
            now, looks = time.time(), list[Look]()
            for number, change in enumerate(changes):
                look = look_at(self.platform, change.town, change.run)
                looks.append(look)
                if look.is_whole:
                    whole.setdefault(number, time.time())
                else:
                    whole.pop(number, None)
            others = look_at_platform(self.platform, daemons, things) if len(whole) == len(changes) else []
            if others:
                looks = [Look((*look.problems, *others), look.is_mixed) for look in looks]
                whole.clear()
            settled = len(whole) == len(changes) and now - max(whole.values()) >= STILL_SECONDS
            if settled:
                return [(whole[number], look) for number, look in enumerate(looks)]
            if now - began > CONVERGE_SECONDS:
                looks = [look_at(self.platform, change.town, change.run, at_all=True) for change in changes]
                return [
                    (whole.get(number), Look((*look.problems, *others), look.is_mixed))
                    for number, look in enumerate(looks)
                ]
            time.sleep(LOOK_SECONDS)

    def _result(
        self,
        kill: Kill,
        change: Change,
        deaths: list[Death] | Rejected,
        changes: list[Change],
        ended: list[tuple[float | None, Look]],
    ) -> Result:
        """Return what the kill led to; that of a process which everybody uses, what it led to in all places."""
        result = Result(str(kill), str(kill.victim), str(kill.moment), change.town.name)
        if isinstance(deaths, Rejected) or not deaths:
            result.missed = str(deaths) if isinstance(deaths, Rejected) else "it had ended already"
        affected = [n for n, one in enumerate(changes) if one is change or kill.victim not in LOCAL]
        now = time.time()
        killed = deaths[0].at if isinstance(deaths, list) and deaths else now
        last = deaths[-1].at if isinstance(deaths, list) and deaths else now
        result.lag_ms = [death.lag_ms for death in deaths] if isinstance(deaths, list) else []
        result.run_ended = self.platform.run_state(change.run)[1]
        times = [ended[number][0] for number in affected]
        result.problems += [problem for number in affected for problem in ended[number][1].problems]
        result.is_mixed = any(ended[number][1].is_mixed for number in affected)
        result.leaks = [problem for problem in result.problems if problem.startswith(("left over", "orphan"))]
        result.stuck_lease = any(problem.startswith("the lease is held") for problem in result.problems)
        if all(moment is not None for moment in times):
            result.to_converged = _since(last, max(moment for moment in times if moment is not None))
            self._times(result, [changes[number] for number in affected], last)
        else:
            result.evidence = {
                changes[n].town.name: evidence(self.platform, changes[n].town, changes[n].run) for n in affected
            }
        until = last + (CONVERGE_SECONDS if result.to_converged is None else result.to_converged)
        result.gap_ms = max(self.traffic.gap_ms(number, killed - 1, until) for number in affected)
        for number in affected:
            result.requests += len(self.traffic.within(number, killed - 1, until))
            failures = self.traffic.failures(number, killed - 1, until)
            result.failing += [changes[number].town.name] if failures else []
            result.failures = dict(Counter(result.failures) + failures)
        return result

    def _times(self, result: Result, changes: list[Change], last: float) -> None:
        """Fill in how long each step to the end took, and how much of it after the end of a dead holder's lease."""
        whole = max(_whole_at(change, last) for change in changes)
        result.to_whole = _since(last, whole)
        left = [self.leases.last_abandoned(change.town.name, last) for change in changes]
        tenures = [tenure for tenure in left if tenure and tenure.ended]
        if tenures:
            over = max(tenure.ended or 0.0 for tenure in tenures)
            result.lease_ended = tenures[0].how
            result.whole_after_lease = _since(over, whole)
            result.converged_after_lease = _since(over, last + (result.to_converged or 0.0))


def _try(kill: Kill, change: Change, usual_seconds: float) -> list[Death] | Rejected:
    try:
        return carry_out(kill, change, usual_seconds)
    except Rejected as problem:
        return problem


def _whole_at(change: Change, killed: float) -> float:
    """Return when the change that was under way at the time of death was ended by somebody, or the time itself."""
    begun = False
    for path in sorted(change.folder.rglob("*.json")):
        _, verb, stage = path.stem.rsplit("-", 2)
        at = path.stat().st_ctime
        if (verb, stage) == ("stage", "intent"):
            begun = True
        if stage == "done" and verb in ("withdraw", "retire"):
            if begun and at > killed:
                return at
            begun = False
        if at > killed and not begun:
            return killed
    return killed


def _carried_seconds(changes: list[Change]) -> float:
    """Return how long the changes took, from the first line of their journals to the last, and a little before it."""
    took = []
    for change in changes:
        lines = [path for path in change.folder.rglob("*.json") if int(path.parent.name) > change.before]
        times = [path.stat().st_ctime for path in lines]
        took.append(max(times) - min(times))
    return round(max(took) + 1.0, 2)


def _since(begin: float, end: float) -> float:
    return round(max(0.0, end - begin), 2)
