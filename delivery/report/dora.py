"""DORA's figures of an environment, from its history and journal; pure.

What each is stands in docs/figures.md, after https://dora.dev/guides/dora-metrics/.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import Literal, NamedTuple

from pydantic import Field

from delivery.changes.archive import HistoryEntry
from delivery.changes.journal import Moment
from delivery.model import Model

DeploymentOutcome = Literal["good", "withdrawn", "rolled back", "marked bad"]
DAY_SECONDS = 86400
ENDS_THE_LIVE = ("released", "rolled-back", "removed")


class Deployment(Model):
    """A release that users were served by, for good or until it was withdrawn."""

    app: str
    environment: str
    run: str
    release: str = Field(description="its fingerprint")
    revision: str
    subject: str = ""
    committed: datetime | None = None
    began: datetime = Field(description="when the first users were served by it")
    ended: datetime = Field(description="when it took all traffic for good, or was withdrawn")
    outcome: DeploymentOutcome = "good"
    recovered: datetime | None = Field(None, description="of one that failed: when the environment was well again")
    is_rework: bool = Field(False, description="the first after one that failed")

    @property
    def failed(self) -> bool:
        """Whether somebody or something had to take it away again."""
        return self.outcome != "good"

    @property
    def lead_seconds(self) -> float | None:
        """From its commit until it took all traffic; none for one that never did, or whose commit has no time."""
        if self.outcome == "withdrawn" or self.committed is None:
            return None
        return max(0.0, (self.ended - self.committed).total_seconds())

    @property
    def recovery_seconds(self) -> float | None:
        """From its first users until the environment was well again; none while it is not, and for a good one."""
        return (self.recovered - self.began).total_seconds() if self.recovered else None


class Figures(Model):
    """DORA's five figures of one environment over a time, with what they are made from."""

    app: str
    environment: str
    since: datetime
    until: datetime
    deployments: int = Field(description="releases that users were served by")
    rollbacks: int
    per_day: float = Field(description="deployment frequency: deployments a day")
    lead_seconds: float | None = Field(None, description="change lead time, the median: from commit to all traffic")
    failed: int = Field(0, description="deployments that were withdrawn from users, rolled back or marked bad")
    change_fail_rate: float | None = Field(None, description="failed of all deployments")
    recovery_seconds: float | None = Field(None, description="failed deployment recovery time, the median")
    not_recovered: int = Field(0, description="failed ones after which nothing went live yet")
    rework: int = Field(0, description="rollbacks, and the first deployments after failed ones")
    rework_rate: float | None = Field(None, description="rework of all deployments and rollbacks")


class Told(NamedTuple):
    """Everything that was written down about one environment."""

    history: Sequence[HistoryEntry]
    moments: Sequence[Moment]
    bad: Collection[str] = ()
    rollback_runs: Collection[str] = ()


def deployments_of(app: str, environment: str, told: Told) -> list[Deployment]:
    """Return every deployment of the environment, oldest first.

    A release that was withdrawn before any user was served by it is none, and a rollback is none: neither of a change.
    """
    found: list[Deployment] = []
    live: int | None = None  # which of them is
    replaced: dict[int, datetime] = {}
    for entry in sorted(told.history, key=lambda one: one.at):
        began = _reached_users(entry, told.moments)
        if entry.happening in ENDS_THE_LIVE and live is not None:
            replaced.setdefault(live, entry.at)
        if entry.happening == "released":
            found.append(_deployment(app, environment, entry, began or entry.at))
            live = len(found) - 1
        elif entry.happening == "rolled-back":
            if live is not None and not found[live].failed:
                found[live] = found[live].model_copy(update={"outcome": "rolled back", "recovered": entry.at})
            live = _last_of(found, entry.release.fingerprint)
        elif entry.happening == "removed":
            live = None
        elif entry.happening == "withdrawn" and began and entry.run not in told.rollback_runs:
            made = _deployment(app, environment, entry, began)
            found.append(made.model_copy(update={"outcome": "withdrawn", "recovered": entry.at}))
    return _with_rework([_marked(one, told.bad, replaced.get(number)) for number, one in enumerate(found)])


def figures_of(
    app: str, environment: str, told: Told, *, since: datetime, until: datetime
) -> tuple[Figures, list[Deployment]]:
    """Return the figures over a time, and the deployments of it that they are made from."""
    found = [one for one in deployments_of(app, environment, told) if since <= one.ended < until]
    back = [one for one in told.history if one.happening == "rolled-back" and since <= one.at < until]
    failed = [one for one in found if one.failed]
    days = (until - since).total_seconds() / DAY_SECONDS
    rework = len(back) + sum(one.is_rework for one in found)
    figures = Figures(
        app=app,
        environment=environment,
        since=since,
        until=until,
        deployments=len(found),
        rollbacks=len(back),
        per_day=len(found) / days if days > 0 else 0.0,
        lead_seconds=_median(one.lead_seconds for one in found),
        failed=len(failed),
        change_fail_rate=len(failed) / len(found) if found else None,
        recovery_seconds=_median(one.recovery_seconds for one in failed),
        not_recovered=sum(one.recovered is None for one in failed),
        rework=rework,
        rework_rate=rework / (len(found) + len(back)) if found or back else None,
    )
    return figures, found


def _deployment(app: str, environment: str, entry: HistoryEntry, began: datetime) -> Deployment:
    revision = entry.release.revision
    return Deployment(
        app=app,
        environment=environment,
        run=entry.run,
        release=entry.release.fingerprint,
        revision=revision.short,
        subject=revision.subject,
        committed=revision.committed,
        began=began,
        ended=entry.at,
    )


def _reached_users(entry: HistoryEntry, moments: Sequence[Moment]) -> datetime | None:
    """Return when the change that ended with `entry` first sent users to its release; none: it never did."""
    before = [moment for moment in moments if moment.at <= entry.at and moment.stage == "intent"]
    staged = max((moment.at for moment in before if moment.verb == "stage"), default=None)
    if staged is None:
        return None
    return next((moment.at for moment in before if moment.verb == "shift" and moment.at >= staged), None)


def _last_of(found: Sequence[Deployment], release: str) -> int | None:
    """Return which of the deployments brought a release last; none: it was before all that is known."""
    return max((number for number, one in enumerate(found) if one.release == release), default=None)


def _marked(one: Deployment, bad: Collection[str], replaced: datetime | None) -> Deployment:
    """Return a deployment as one that failed where somebody marked its release; it is over with what came after it."""
    if one.failed or one.release not in bad:
        return one
    return one.model_copy(update={"outcome": "marked bad", "recovered": replaced})


def _with_rework(found: Sequence[Deployment]) -> list[Deployment]:
    """Return the deployments with those marked that came next after one that failed."""
    after = [False, *(one.failed for one in found[:-1])]
    return [one.model_copy(update={"is_rework": again}) for one, again in zip(found, after, strict=False)]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
