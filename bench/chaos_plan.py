"""Who is killed when: every boundary of the journal for every victim, in an order that a seed decides."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

STEPS = (10, 50, 100)
RANDOM_MOMENTS = 3  # for each victim in a round through everything


class Victim(StrEnum):
    """What is killed."""

    FLOW = "flow"
    RECOVERY = "recovery"
    ROUTER = "haproxy"
    WORKER = "worker"
    SERVER = "server"
    KEEPER = "keeper"
    ENGINE = "dockerd"


# One death of these touches one place; all others are everybody's.
LOCAL = (Victim.FLOW, Victim.RECOVERY, Victim.ROUTER)


@dataclass(frozen=True)
class Moment:
    """A line of a change's journal, the `number`th of its kind; or, without a verb, a share of its usual time."""

    verb: str = ""
    stage: str = ""
    number: int = 1
    share: float = 0.0

    def __str__(self) -> str:
        if not self.verb:
            return f"at {self.share:.0%}"
        which = f" {self.number}" if self.verb == "shift" else ""
        return f"{self.verb}{which} {self.stage}"


@dataclass(frozen=True)
class Kill:
    """One death; `then` is when whoever recovers is killed as well, which is a line of the recovery's journal."""

    victim: Victim
    moment: Moment
    then: Moment | None = None

    def __str__(self) -> str:
        return f"{self.victim} {self.moment}" + (f", then recovery {self.then}" if self.then else "")


BOUNDARIES = tuple(
    Moment(verb, stage, number)
    for verb, times in (("stage", 1), ("shift", len(STEPS)), ("retire", 1))
    for number in range(1, times + 1)
    for stage in ("intent", "done")
)
# After `retire intent` recovery retires as well, before it withdraws.
RECOVERIES = tuple(
    Kill(Victim.RECOVERY, moment, Moment(verb, stage))
    for moment, verb in ((Moment("shift", "done", 2), "withdraw"), (Moment("retire", "intent"), "retire"))
    for stage in ("intent", "done")
)


def plan(seed: int, runs: int, victims: Sequence[Victim]) -> list[Kill]:
    """Return `runs` kills; as many as there are combinations meet each of them once, in an order of the seed's."""
    chance = random.Random(seed)
    kills: list[Kill] = []
    while len(kills) < runs:
        turn = [kill for kill in RECOVERIES if kill.victim in victims]
        for victim in victims:
            if victim is not Victim.RECOVERY:
                moments = [*BOUNDARIES, *(Moment(share=chance.random()) for _ in range(RANDOM_MOMENTS))]
                turn += [Kill(victim, moment) for moment in moments]
        chance.shuffle(turn)
        kills += turn
    return kills[:runs]


def rounds(kills: Sequence[Kill], places: int) -> list[list[Kill]]:
    """Return the kills in groups for one change of all places each: local deaths side by side, any other one alone."""
    local = [kill for kill in kills if kill.victim in LOCAL]
    groups = [local[first : first + places] for first in range(0, len(local), places)]
    groups += [[kill] for kill in kills if kill.victim not in LOCAL]
    order = {id(kill): number for number, kill in enumerate(kills)}
    return sorted(groups, key=lambda group: order[id(group[0])])
