"""What a step of a delivery waits for by its data, and how fast the whole could be.

The order in which steps were seen to run proves nothing: here a step needs what it is made from, and nothing else.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from delivery.report.record import DeliveryRecord, StepTime

# They pass time on purpose: no core works meanwhile.
WAITING = re.compile(r"watch [\d.]+ s|take \S+")
IMAGES = "build (?!suite ).*"
Needs = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Link:
    """One step of a chain, and how long it waited although everything it needs was there."""

    step: StepTime
    waited: float


@dataclass(frozen=True)
class Gap:
    """Time that passed after one step and before another."""

    after: str
    before: str
    seconds: float


def needs_of(record: DeliveryRecord) -> Needs:
    """Return, for each step by its number, the numbers of the steps it cannot begin without.

    Building, scanning and testing wait for what they are made from; all other steps take turns.
    """
    steps, suites = record.steps, {result.cell.name: result.cell.suite for result in record.cells}
    side_by_side = {number for number, step in enumerate(steps) if _runs_beside_others(step.name, suites)}
    in_turn = set(range(len(steps))) - side_by_side
    begun = min((steps[number].started for number in side_by_side), default=None)
    lead = {number for number in in_turn if begun and steps[number].ended <= begun}

    def is_needed(other: int, number: int) -> bool:
        if not _is_before(steps[other], steps[number]):
            return False
        if other in (lead if number in side_by_side else in_turn):
            return True
        one, name = steps[other].name, steps[number].name
        return one == name or re.fullmatch(_inputs_of(name, suites), one) is not None  # the same: an earlier attempt

    return {n: tuple(other for other in range(len(steps)) if is_needed(other, n)) for n in range(len(steps))}


def longest_chain(steps: Sequence[StepTime], needs: Needs) -> tuple[StepTime, ...]:
    """Return the chain of steps, each needing the one before it, that takes the most time of its own."""
    best: dict[int, tuple[float, tuple[int, ...]]] = {}
    for number in sorted(needs, key=lambda n: (steps[n].started, steps[n].ended)):
        length, chain = max((best[before] for before in needs[number]), default=(0.0, ()))
        best[number] = (length + steps[number].seconds, (*chain, number))
    return tuple(steps[number] for number in max(best.values(), default=(0.0, ()))[1])


def last_chain(steps: Sequence[StepTime], needs: Needs) -> tuple[Link, ...]:
    """Return the chain that ended last: its steps and waits add up to the makespan."""
    links: list[Link] = []
    number = max(needs, key=lambda n: steps[n].ended, default=None)
    while number is not None:
        before = max(needs[number], key=lambda n: steps[n].ended, default=None)
        ready = steps[number].started if before is None else steps[before].ended
        links.insert(0, Link(steps[number], (steps[number].started - ready).total_seconds()))
        number = before
    return tuple(links)


def work_seconds(steps: Sequence[StepTime], cores: int) -> float:
    """Return the time the steps worked, in seconds of one core; more of them at once than `cores` share these."""
    working = [step for step in steps if not WAITING.fullmatch(step.name)]
    moments = sorted({moment for step in working for moment in (step.started, step.ended)})
    return sum(
        (end - start).total_seconds() * min(cores, sum(s.started <= start and s.ended >= end for s in working))
        for start, end in itertools.pairwise(moments)
    )


def makespan_seconds(steps: Sequence[StepTime]) -> float:
    """Return the time from the first step's start to the last one's end."""
    if not steps:
        return 0.0
    return (max(step.ended for step in steps) - min(step.started for step in steps)).total_seconds()


def pauses(steps: Sequence[StepTime]) -> list[Gap]:
    """Return the times between the steps in which none ran, the longest first."""
    found: list[Gap] = []
    latest: StepTime | None = None
    for step in sorted(steps, key=lambda one: one.started):
        if latest and step.started > latest.ended:
            found.append(Gap(latest.name, step.name, (step.started - latest.ended) / timedelta(seconds=1)))
        latest = max((one for one in (latest, step) if one), key=_end)
    return sorted(found, key=lambda gap: -gap.seconds)


def _runs_beside_others(name: str, suites: Mapping[str, str]) -> bool:
    alone = ("prepare scanner", "check findings", "check results")
    return name in suites or name in alone or name.startswith(("build ", "scan ", "sbom "))


def _inputs_of(name: str, suites: Mapping[str, str]) -> str:
    """Return a pattern of the names of what a step is made from."""
    cells = "|".join(map(re.escape, suites))
    verb, _, rest = name.partition(" ")
    if name in suites:
        return f"{IMAGES}|build suite {re.escape(suites[name])}"
    if verb in ("build", "prepare"):
        return ""
    if verb in ("scan", "sbom"):
        return f"build {re.escape(rest)}|prepare scanner"
    if name == "check findings":
        return "scan .*"
    if name == "check results":
        return cells
    later = f"|build suite {re.escape(rest.rpartition(' ')[2])}" if verb == "accept" else ""
    # Suites that run only in an environment need not be built before the release is published.
    return f"{IMAGES}|scan .*|sbom .*|check findings|check results|{cells}{later}"


def _is_before(one: StepTime, other: StepTime) -> bool:
    return one.ended <= other.started and (one.started, one.ended) < (other.started, other.ended)


def _end(step: StepTime) -> datetime:
    return step.ended
