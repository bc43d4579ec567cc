"""The steps of a run in time: which of them decided how long it took."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from delivery.report.record import StepTime

# Between the end of one step and the start of the next the orchestrator works; a longer pause is a wait for a person.
TOLERANCE = timedelta(seconds=0.05)


def critical_path(steps: Sequence[StepTime]) -> tuple[StepTime, ...]:
    """Return the chain of steps that ended last, each begun when the one before it had ended.

    What a step waited for is not recorded; of all that began before it and ended before it began, the last one is
    taken for it.
    """
    if not steps:
        return ()
    chain = [max(steps, key=lambda step: step.ended)]
    while before := [step for step in steps if _is_before(step, chain[0])]:
        chain.insert(0, max(before, key=lambda step: step.ended))
    return tuple(chain)


def lanes(steps: Sequence[StepTime]) -> list[tuple[int, StepTime]]:
    """Return each step with a row in which nothing else happens meanwhile, rows as few as can be."""
    free: list[datetime] = []
    placed: list[tuple[int, StepTime]] = []
    for step in sorted(steps, key=lambda one: one.started):
        row = next((row for row, until in enumerate(free) if until <= step.started), len(free))
        if row == len(free):
            free.append(step.ended)
        free[row] = step.ended
        placed.append((row, step))
    return placed


def _is_before(step: StepTime, other: StepTime) -> bool:
    return step.started < other.started and step.ended <= other.started + TOLERANCE
