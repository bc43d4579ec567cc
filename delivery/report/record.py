"""What a delivery did, as one value: kept as JSON, shown as Markdown and as a page."""

from datetime import datetime
from typing import Literal

from pydantic import AliasChoices, Field

from delivery.changes.lease import Takeover
from delivery.changes.restores import RestoreRecord
from delivery.counting import counted
from delivery.model import Model
from delivery.ports.cells import CellResult
from delivery.ports.observation import EndedConnections, Fallback, Observation
from delivery.releases.approval import Decision
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.rehearsal import Rehearsal
from delivery.releases.release import BaseImage, BuiltImage, Release, Revision
from delivery.releases.run_names import app_of, delivery_name, rollback_name
from delivery.spec.checks import CheckResult
from delivery.spec.hooks import HookResult
from delivery.traffic.verdict import upper_bound

Outcome = Literal[
    "delivered", "unchanged", "proven", "rejected", "withdrawn", "misconfigured", "interrupted", "failed", "crashed"
]
Kind = Literal["delivery", "rollback", "proof"]


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


class RestoreFigures(Model):
    """What the newest restores of one environment's database showed, and the limits that are held against them."""

    environment: str
    restores: tuple[RestoreRecord, ...] = Field((), description="the newest first")
    rpo_limit: float | None = None
    rto_limit: float | None = None

    @property
    def last(self) -> tuple[RestoreRecord, ...]:
        """The newest of each kind."""
        return tuple({one.kind: one for one in reversed(self.restores)}.values())


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
    kind: Kind = "delivery"
    ui_url: str = ""
    requested_by: str = Field("", description="who started it; empty: not known, or no person did")
    app: str = ""
    environment: str
    outcome: Outcome
    reason: str = Field("", description="why it did not end with a new release, in the words of the gate")
    gate: str = Field("", description="what said no, where it says so itself; empty: its step tells")
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
    hooks: tuple[HookResult, ...] = Field((), description="the team's own commands around each release")
    decisions: tuple[Decision, ...] = ()
    skipped: tuple[str, ...] = Field((), description="commits of earlier pushes that it is delivered in place of")
    takeovers: tuple[Takeover, ...] = Field(
        (),
        validation_alias=AliasChoices("takeovers", "thefts"),
        description="environments that were taken from a run that held them",
    )
    backups: tuple[BackupFigures, ...] = ()
    unproven: tuple[str, ...] = Field((), description="volumes and buckets, which no proof of a backup is about")
    restores: tuple[RestoreFigures, ...] = Field((), description="of each environment, over time")
    rehearsals: tuple[Rehearsal, ...] = Field((), description="what migrations did on copies")
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
