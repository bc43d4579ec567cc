"""Checks of a release on its way into an environment: what is asked, when, and what the answer means."""

from typing import Literal, Self

from pydantic import Field, model_validator

from delivery.model import HttpPath, Model, Name
from delivery.spec.answer import Answer

Moment = Literal["before", "between", "after"]
_MOMENTS: dict[Moment, str] = {
    "before": "before it has traffic",
    "between": "between two steps",
    "after": "with all traffic",
}


class CommandCheck(Model):
    """Any command in any image; exit code 0 passes."""

    image: str = Field(description="name under `images`, or an image reference")
    command: list[str] | None = Field(None, description="instead of the image's own command")
    timeout_seconds: int = Field(60, ge=1, le=7200, description="after it the check did not pass")


class HttpCheck(Model):
    """One GET."""

    path: HttpPath = Field(description="what is asked for")
    status: int = Field(200, ge=100, le=599, description="the one that passes")
    contains: str | None = Field(None, min_length=1, description="text the body must contain")
    service: Name | None = Field(None, description="each instance of it is asked; none: whoever the routes name")

    def problem_of(self, answer: Answer) -> str:
        """Say what is wrong with the answer, or nothing."""
        asked = f"GET {self.path}"
        if answer.timed_out:
            return f"{asked} is not answered in time"
        if not answer.status:
            return f"{asked} is not answered"
        if answer.status != self.status:
            return f"{asked} answers {answer.status}, not {self.status}"
        if self.contains and self.contains not in answer.body.decode(errors="replace"):
            return f"{asked} does not contain {self.contains!r}"
        return ""


class Check(Model):
    """One question to a release; when it fails, the release is withdrawn."""

    at: Moment = Field(description="`before` it has traffic, `between` two steps, `after` it has all traffic")
    suite: Name | None = Field(None, description="a suite; `BASE_URL` says where the release is")
    command: CommandCheck | None = Field(None, description="a command; `BASE_URL` says where the release is")
    http: HttpCheck | None = Field(None, description="a request")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = [key for key in ("suite", "command", "http") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"needs exactly one of suite, command, http (found {found})")
        return self

    @property
    def label(self) -> str:
        """What it is called in steps and reports."""
        if self.command:
            return f"command in {self.command.image}"
        return f"GET {self.http.path}" if self.http else f"suite {self.suite}"

    @property
    def moment(self) -> str:
        """When it happens, in words."""
        return _MOMENTS[self.at]


class CheckResult(Model):
    """What a check came to."""

    environment: str
    label: str
    at: Moment
    problem: str = Field("", description="why it did not pass; empty: it passed")
    seconds: float = 0

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problem
