"""How traffic moves from the old slot to the new one: plans, and the weights they mean."""

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


# Names and numbers of CodeDeploy's predefined ECS configurations (AWS CodeDeploy user guide,
# "Working with deployment configurations").
PRESETS: dict[str, tuple[Step, ...]] = {
    "AllAtOnce": (Step(percent=100),),
    "Canary10Percent5Minutes": tuple(_canary(_minutes(10, 5))),
    "Canary10Percent15Minutes": tuple(_canary(_minutes(10, 15))),
    "Linear10PercentEvery1Minute": tuple(_linear(_minutes(10, 1))),
    "Linear10PercentEvery3Minutes": tuple(_linear(_minutes(10, 3))),
}


def as_plan(preset: str) -> ShiftPlan:
    """Return the plan of a preset's name; KeyError when there is none."""
    return ShiftPlan(steps=PRESETS[preset])
