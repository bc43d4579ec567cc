"""What a delivery did, as one value: kept as JSON, shown as Markdown and as a page."""

from datetime import datetime
from typing import Literal

from pydantic import AliasChoices, Field

from delivery.changes.lease import Takeover
from delivery.counting import counted
from delivery.model import Model
from delivery.ports.cells import CellResult
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.releases.approval import Decision
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.release import BaseImage, BuiltImage, Release, Revision
from delivery.releases.run_names import app_of, delivery_name, rollback_name
from delivery.spec.checks import CheckResult
from delivery.traffic.verdict import upper_bound

Outcome = Literal[
    "delivered", "unchanged", "rejected", "withdrawn", "misconfigured", "interrupted", "failed", "crashed"
]


class StepTime(Model):
    """When one step ran, and how it ended."""

    name: str
    phase: str = ""
    started: datetime
    ended: datetime
    outcome: Literal["done", "failed", "interrupted"] = "done"
    attempts: int = Field(1, ge=1)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, (self.ended - self.started).total_seconds())


class ScanSummary(Model):
    """What the scan of one image came to."""

    image: str
    findings: int
    worst: str = Field("", description="findings by severity, in words")
    database: str = Field("", description="state of the vulnerability database")


class BackupFigures(Model):
    """What a restored backup proved."""

    environment: str
    tables: int
    rows: int
    rpo_seconds: float
    rto_seconds: float


class ReleaseFigures(Model):
    """What was seen of one environment's traffic during the release."""

    environment: str
    url: str | None = None
    observations: tuple[Observation, ...] = ()
    fallbacks: tuple[Fallback, ...] = Field(
        (), validation_alias=AliasChoices("fallbacks", "retreats"), description="what made traffic go back at once"
    )
    ended: tuple[EndedConnections, ...] = Field((), description="what was cut when a slot was removed")
    spent_seconds: dict[str, float] = Field({}, description="what each verb took, watching included")

    @property
    def requests(self) -> int:
        """Requests of both slots that the watches counted."""
        return sum(seen.live.requests + seen.baseline.requests for seen in self.observations)

    @property
    def failures(self) -> int:
        """Requests of both slots that users were answered with an error."""
        return sum(seen.live.errors + seen.baseline.errors for seen in self.observations)

    @property
    def hidden(self) -> int:
        """Errors of both slots that no user saw, because the router asked another instance."""
        return sum(seen.live.hidden + seen.baseline.hidden for seen in self.observations)

    @property
    def cut(self) -> int:
        """Connections that ended with the slot they led to."""
        return sum(ended.connections for ended in self.ended)

    def counted(self) -> str:
        """Say what became of the requests: those that failed, those that were cut and, apart, what was hidden."""
        failed = f", {self.failures} failed" if self.failures or not self.cut else ""
        sure = (
            f" (at most {100 * self.max_failure_share:.2f} %, 95 % sure)" if self.max_failure_share is not None else ""
        )
        were = "was" if self.hidden == 1 else "were"
        hidden = f"; {counted(self.hidden, 'error')} {were} hidden from users by another try" if self.hidden else ""
        asked = counted(self.requests, "request")
        if self.cut:
            return f"{asked}{failed}, {self.cut} cut{hidden}"
        return f"{asked}{failed}{sure}{hidden}"

    @property
    def max_failure_share(self) -> float | None:
        """The failure rate is not above this, 95 % sure; none without a request."""
        return upper_bound(self.failures, self.requests) if self.requests else None


class DeliveryRecord(Model):
    """The whole of one delivery or rollback."""

    run: str
    run_name: str = ""
    kind: Literal["delivery", "rollback"] = "delivery"
    ui_url: str = ""
    app: str = ""
    environment: str
    outcome: Outcome
    reason: str = Field("", description="why it did not end with a new release, in the words of the gate")
    started: datetime
    ended: datetime
    revision: Revision | None = None
    release: Release | None = None
    images: tuple[BuiltImage, ...] = ()
    substitutes: tuple[BaseImage, ...] = ()
    scans: tuple[ScanSummary, ...] = ()
    cells: tuple[CellResult, ...] = ()
    acceptance: tuple[CellResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    decisions: tuple[Decision, ...] = ()
    takeovers: tuple[Takeover, ...] = Field(
        (),
        validation_alias=AliasChoices("takeovers", "thefts"),
        description="environments that were taken from a run that held them",
    )
    backups: tuple[BackupFigures, ...] = ()
    unproven: tuple[str, ...] = Field((), description="volumes, which no proof of a backup is about")
    infrastructure: tuple[InfrastructurePlan, ...] = Field((), description="plans that were carried out")
    losses: tuple[str, ...] = Field((), description="what instances wrote that is lost with each release")
    releases: tuple[ReleaseFigures, ...] = ()
    steps: tuple[StepTime, ...] = ()
    report: str = Field("", description="where the page with all of this is")

    @property
    def name(self) -> str:
        """What the run is called: application, revision and environment, as far as it came to know them."""
        if self.app and self.revision and self.kind == "delivery":
            return delivery_name(self.app, self.revision.short, self.environment)
        if self.app and self.kind == "rollback":
            return rollback_name(self.app, self.environment, self.revision.short if self.revision else "")
        return self.run_name if app_of(self.run_name) else f"{self.app or 'a run'} → {self.environment}"

    @property
    def seconds(self) -> float:
        """How long the whole took."""
        return (self.ended - self.started).total_seconds()

    @property
    def url(self) -> str | None:
        """Where the application answers in the environment that was asked for."""
        return next((r.url for r in reversed(self.releases) if r.environment == self.environment), None)
