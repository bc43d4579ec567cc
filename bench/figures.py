"""What one delivery took, where its time went, and whether that is fast enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.bounds import Gap, last_chain, longest_chain, makespan_seconds, needs_of, pauses, work_seconds
from delivery.report.record import DeliveryRecord, StepTime

SHOWN_SECONDS = 0.05  # shorter pauses and waits are not worth a line


@dataclass(frozen=True)
class Phase:
    """Steps of one phase, from the first one's start to the last one's end."""

    name: str
    begins: float
    ends: float
    step_seconds: float


@dataclass(frozen=True)
class Spent:
    """A step of the longest chain."""

    step: str
    seconds: float


@dataclass(frozen=True)
class Figures:
    """One run of one scenario; all times in seconds."""

    scenario: str
    wall: float
    set_up: float
    start: float
    makespan: float
    end: float
    path: float
    work: float
    bound: float
    steps: int
    critical: tuple[Spent, ...]
    phases: tuple[Phase, ...]
    pauses: tuple[Gap, ...]
    waits: tuple[Gap, ...]

    @property
    def ratio(self) -> float:
        """How many times the bound the steps took."""
        return self.makespan / self.bound if self.bound else float("inf")


@dataclass(frozen=True)
class Aim:
    """What a scenario shall reach."""

    figure: str
    most: float

    def value(self, figures: Figures) -> float:
        """Return the figure that is looked at."""
        return float(getattr(figures, self.figure))

    def is_reached(self, figures: Figures) -> bool:
        """Whether it is no more than it may be."""
        return self.value(figures) <= self.most

    def __str__(self) -> str:
        if self.figure == "ratio":
            return f"makespan ≤ {self.most:g} × bound"
        return f"{self.figure} ≤ {self.most:g} s"


AIMS = {
    "cold": Aim("ratio", 1.25),
    "no-change": Aim("wall", 10),
    "one-service": Aim("ratio", 1.25),
    "no-op": Aim("wall", 15),
}


def measure(scenario: str, record: DeliveryRecord, *, began: float, ended: float, set_up: float, cores: int) -> Figures:
    """Return the figures of a command that ran from `began` to `ended`, in seconds since 1970."""
    steps, needs = record.steps, needs_of(record)
    critical, work = longest_chain(steps, needs), work_seconds(steps, cores)
    path = sum(step.seconds for step in critical)
    first = min(step.started for step in steps).timestamp()
    last = max(step.ended for step in steps).timestamp()
    chain = last_chain(steps, needs)
    names = ["", *(link.step.name for link in chain)]
    waits = [Gap(after, link.step.name, link.waited) for after, link in zip(names, chain, strict=False)]
    return Figures(
        scenario=scenario,
        wall=ended - began,
        set_up=set_up,
        start=first - began - set_up,
        makespan=makespan_seconds(steps),
        end=ended - last,
        path=path,
        work=work,
        bound=max(path, work / cores),
        steps=len(steps),
        critical=tuple(Spent(step.name, step.seconds) for step in critical),
        phases=_phases(steps),
        pauses=_worth_showing(pauses(steps)),
        waits=_worth_showing(waits),
    )


def _phases(steps: Sequence[StepTime]) -> tuple[Phase, ...]:
    """Return the phases in order; one that goes on after another began and it had paused is told twice."""
    groups: list[list[StepTime]] = []
    for step in sorted(steps, key=lambda step: step.started):
        same = next((group for group in reversed(groups) if group[0].phase == step.phase), None)
        if same is None or any(
            _last_end(same) <= group[0].started <= step.started for group in groups if group != same
        ):
            groups.append([step])
        else:
            same.append(step)
    zero = groups[0][0].started if groups else None
    return tuple(
        Phase(
            name=group[0].phase,
            begins=(group[0].started - zero).total_seconds(),
            ends=(_last_end(group) - zero).total_seconds(),
            step_seconds=sum(step.seconds for step in group),
        )
        for group in groups
        if zero
    )


def _last_end(steps: Sequence[StepTime]) -> datetime:
    return max(step.ended for step in steps)


def _worth_showing(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    return tuple(sorted((gap for gap in gaps if gap.seconds >= SHOWN_SECONDS), key=lambda gap: -gap.seconds))
