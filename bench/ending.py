"""How one release ended, and where its time went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from delivery.errors import Rejected, ReleaseUnhealthy
from delivery.ports.store import Store
from delivery.report.record import StepTime

PHASES = {"stage": "stage", "shift": "shift", "watch": "watch", "retire": "retire", "withdraw": "withdraw"}
WITHDRAWN, REFUSED = "withdrawn", "refused"
REST = "lease, journal, orchestration"


@dataclass(frozen=True)
class Ending:
    """What came of a release; times in seconds since 1970, phases in seconds."""

    outcome: str
    reason: str
    began: float
    ended: float
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def went_live(self) -> bool:
        """Whether the release takes all traffic now, by the word of who released it."""
        return self.outcome == "live"

    @property
    def was_caught(self) -> bool:
        """Whether it was found unhealthy or not let in, and not anything else that ended it."""
        return self.outcome in (WITHDRAWN, REFUSED)

    @classmethod
    def of(cls, error: Exception | None, *, began: float, ended: float, steps: Sequence[StepTime] = ()) -> Self:
        """Return the ending that `error`, or none, means."""
        reason = str(error).partition("\n")[0] if error else ""
        return cls(_outcome(error), reason, began, ended, phases_of(steps, ended - began))


def phases_of(steps: Sequence[StepTime], seconds: float) -> dict[str, float]:
    """Return the seconds of each phase; what no phase took is its own."""
    found: dict[str, float] = {}
    for step in steps:
        if phase := PHASES.get(step.name.partition(" ")[0]):
            found[phase] = found.get(phase, 0.0) + step.seconds
    return {**found, REST: max(0.0, seconds - sum(found.values()))} if steps else {}


def read_steps(store: Store, run: str) -> list[StepTime]:
    """Return the steps of a run, as it wrote them down."""
    return [StepTime.model_validate_json(store.get(key)) for key in store.keys(f"runs/{run}/steps")]


def _outcome(error: Exception | None) -> str:
    match error:
        case None:
            return "live"
        case ReleaseUnhealthy():
            return WITHDRAWN
        case Rejected():
            return "rejected"
        case _:
            return f"failed: {type(error).__name__}"
