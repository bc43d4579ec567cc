"""What stands in headway.yaml about the rehearsal of migrations: what is run on a copy, and what of it may stop."""

from datetime import date
from typing import Literal

from pydantic import Field

from delivery.model import Model, Name

Advice = Literal["off", "warn", "block"]
RULE_PATTERN = r"^[a-z][a-z0-9-]*$"


class LintWaiver(Model):
    """A rule of the linter that is let pass for a while, and why."""

    rule: str = Field(pattern=RULE_PATTERN, description="name of the rule")
    reason: str = Field(min_length=3, description="why it may pass; kept with the release")
    until: date = Field(description="the last day on which it counts")


class LintPolicy(Model):
    """What the linter's words are worth."""

    default: Advice = Field("warn", description="of rules that are not named: off, warn (told) or block")
    rules: dict[str, Advice] = Field({}, description="rule: off, warn or block")
    waive: tuple[LintWaiver, ...] = Field((), description="rules that are let pass until a day, with a reason")


class RehearsalPolicy(Model):
    """What is done on a copy before a release's migrations run where they count."""

    enabled: bool = Field(True, description="off: nobody knows whether the live code runs on the new schema")
    data: Literal["backup", "schema"] = Field(
        "backup", description="the copy is of the newest proven backup, where there is one; or of the schema alone"
    )
    suites: tuple[Name, ...] = Field(
        (), description="suites that each version of the code must pass on each schema; none: its services start"
    )
    breaking: Literal["block", "tell"] = Field(
        "block", description="when the live code does not run on the new schema: stop, or say so at the approval"
    )
    most_locked_seconds: float | None = Field(
        None, gt=0, description="the longest a table that is there may be locked against writers; none: it is told"
    )
    lint: LintPolicy = Field(LintPolicy(), description="what squawk's rules are worth")
