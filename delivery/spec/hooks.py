"""Hooks: a team's own commands around a release: what is run, when, and what its end means."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from delivery.model import Model, Name

MOST_HOOK_SECONDS = 7200
HookMoment = Literal["before_release", "after_release", "after_failure"]
MOMENTS: tuple[HookMoment, ...] = ("before_release", "after_release", "after_failure")


class Hook(Model):
    """Any command in any image, run beside the environment."""

    image: str = Field(description="name under `images` (the release's own), or an image reference")
    command: list[str] | None = Field(None, description="instead of the image's own command")
    env: dict[str, str] = Field({}, description="environment variables; ${database.url} is filled in")
    secrets: dict[str, str] = Field({}, description="variable: name of the Prefect secret block that holds it")
    environments: tuple[Name, ...] = Field((), description="only there; none: in every one")
    rollbacks: bool = Field(True, description="around a rollback as well")
    timeout_seconds: int = Field(300, ge=1, le=MOST_HOOK_SECONDS, description="after it the hook is ended and failed")

    def concerns(self, environment: str, *, goes_back: bool) -> bool:
        """Whether it is run in an environment, around a release or, where it `goes_back`, a rollback."""
        return (not self.environments or environment in self.environments) and (self.rollbacks or not goes_back)

    @property
    def label(self) -> str:
        """What it is called in steps and reports."""
        return " ".join(self.command[:2]) if self.command else self.image


class BeforeHook(Hook):
    """A hook before anything is changed, which may have a say."""

    when_failed: Literal["stop", "warn"] = Field("stop", description="`stop`: the release is rejected")


class Hooks(Model):
    """All hooks of an application, each list in its order."""

    before_release: tuple[BeforeHook, ...] = Field((), description="before anything of an environment is changed")
    after_release: tuple[Hook, ...] = Field((), description="when a release takes all traffic; one that fails warns")
    after_failure: tuple[Hook, ...] = Field(
        (), description="when a release did not go live, or was withdrawn; one that fails warns"
    )

    def at(self, moment: HookMoment) -> tuple[Hook, ...]:
        """Return the hooks of a moment."""
        found: tuple[Hook, ...] = getattr(self, moment)
        return found

    def keyed(self) -> Iterator[tuple[str, Hook]]:
        """Yield every hook under its key in the file."""
        for moment in MOMENTS:
            yield from ((f"hooks.{moment}[{number}]", hook) for number, hook in enumerate(self.at(moment)))


class HookResult(Model):
    """What a hook came to."""

    environment: str
    at: HookMoment
    label: str
    problem: str = Field("", description="why it failed; empty: it did not")
    seconds: float = 0

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problem
