"""How traffic moves from the old slot to the new one: plans, and the weights they mean."""

import difflib
import re
from typing import Self

from pydantic import Field, model_validator

from delivery.model import Model


class Step(Model):
    """Give the new slot `percent` of new requests, then hold for `hold_seconds`."""

    percent: int = Field(ge=1, le=100, description="share of new requests")
    hold_seconds: float = Field(0, ge=0, le=86400, description="watched for so long before the next step")


class Canary(Model):
    """A plan of two steps."""

    canary: Step = Field(description="this share first, held; then everything")


class Linear(Model):
    """A plan of equal steps."""

    linear: Step = Field(description="this share more at every step, each held, until everything")


class ShiftPlan(Model):
    """Steps of rising weight that end at 100; a plan is given by one of `canary`, `linear` or `steps`."""

    steps: tuple[Step, ...] = Field(min_length=1, description="rising, the last one 100 percent")

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        match list(value):
            case ["canary"]:
                return {"steps": _canary(Canary.model_validate(value).canary)}
            case ["linear"]:
                return {"steps": _linear(Linear.model_validate(value).linear)}
            case ["steps"]:
                return value
        found = ", ".join(map(str, value)) or "none of them"
        raise ValueError(f"needs exactly one of canary, linear, steps (found {found})")

    @model_validator(mode="after")
    def _rises_to_100(self) -> Self:
        percents = [step.percent for step in self.steps]
        if percents != sorted(set(percents)):
            raise ValueError(f"weights must rise from step to step (found {percents})")
        if percents[-1] != 100:
            raise ValueError(f"the last step must be 100 percent (found {percents[-1]})")
        return self


def _canary(step: Step) -> list[Step]:
    return [step, Step(percent=100)] if step.percent < 100 else [step]


def _linear(step: Step) -> list[Step]:
    percents = [*range(step.percent, 100, step.percent), 100]
    return [Step(percent=p, hold_seconds=step.hold_seconds if p < 100 else 0) for p in percents]


def _minutes(percent: int, minutes: int) -> Step:
    return Step(percent=percent, hold_seconds=60 * minutes)


# Names and numbers of CodeDeploy's predefined configurations for ECS and Lambda (AWS CodeDeploy user guide,
# "Working with deployment configurations"). Its first share moves at once, and so does the first one here.
PRESETS: dict[str, tuple[Step, ...]] = {
    "AllAtOnce": (Step(percent=100),),
    **{f"Canary10Percent{minutes}Minutes": tuple(_canary(_minutes(10, minutes))) for minutes in (5, 10, 15, 30)},
    **{
        f"Linear10PercentEvery{minutes}Minute{'s' if minutes > 1 else ''}": tuple(_linear(_minutes(10, minutes)))
        for minutes in (1, 2, 3, 10)
    },
}
_DECORATION = re.compile(r"^(CodeDeployDefault\.)?(ECS|Lambda)?(?=[A-Z])")
_EVERY_MINUTE = re.compile(r"Every1Minutes$")  # as ECS has it; Lambda says Every1Minute


def as_plan(preset: str) -> ShiftPlan:
    """Return the plan of a preset's name, taken with CodeDeploy's prefix and platform as well.

    Raises ValueError, with the names there are, when there is none.
    """
    name = _EVERY_MINUTE.sub("Every1Minute", _DECORATION.sub("", preset))
    if name in PRESETS:
        return ShiftPlan(steps=PRESETS[name])
    near = difflib.get_close_matches(name, PRESETS, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"unknown shift plan (found {preset}); {meant}allowed: {', '.join(PRESETS)}, or a plan")
