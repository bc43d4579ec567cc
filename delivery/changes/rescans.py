"""What is live, scanned again: more becomes known of an image after it was released."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from delivery.changes.newest_first import newest_first
from delivery.counting import counted
from delivery.model import Model
from delivery.ports.store import Store
from delivery.scanning.findings import Finding, ScanReport, check_scan
from delivery.spec.scan import ScanPolicy


class OpenFinding(Model):
    """Something in an image that is live and would keep it from being released today."""

    image: str
    finding: Finding
    since: datetime = Field(description="when a scan of what is live first showed it")

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same finding in another scan."""
        return self.image, self.finding.id, self.finding.package, self.finding.location


class Rescan(Model):
    """What scanning a live release again showed; with a problem, or without images, it shows no good sign."""

    at: datetime
    app: str
    environment: str
    release: str = Field("", description="fingerprint of what is live; empty: that is not known")
    open: tuple[OpenFinding, ...] = ()
    problems: tuple[str, ...] = Field((), description="why it cannot be told that there is nothing")

    @property
    def is_well(self) -> bool:
        """Whether all images could be looked at and would be released today."""
        return not self.open and not self.problems

    @property
    def new(self) -> tuple[OpenFinding, ...]:
        """What no scan before this one has shown."""
        return tuple(one for one in self.open if one.since == self.at)

    def describe(self) -> str:
        """One line for people, with a line for each finding and problem."""
        where = f"{self.environment} of {self.app}"
        if self.is_well:
            return f"{where}: what is live would be released today"
        lines = [f"{where}: {problem}" for problem in self.problems]
        if self.open:
            found = counted(len(self.open), "finding")
            lines.append(f"{where}: {found} in what is live, {len(self.new)} of them new; release {self.release}")
            for one in sorted(self.open, key=lambda one: one.since, reverse=True):
                lines.append(f"  {one.image}: {one.finding.severity} {one.finding}, since {one.since:%Y-%m-%d}")
            lines.append("  next: update it and deliver, or waive it under scan.waivers with owner, reason and expires")
        return "\n".join(lines)


def judge_rescan(
    app: str,
    environment: str,
    release: str,
    reports: Sequence[ScanReport],
    policy: ScanPolicy,
    *,
    problems: Sequence[str],
    last: Rescan | None,
    at: datetime,
) -> Rescan:
    """Return what today's policy refuses in the images of a release; what `last` showed keeps its date."""
    verdicts = [check_scan(report, policy, at.date()) for report in reports]
    known = {one.identity: one.since for one in (last.open if last else ())}
    found = [OpenFinding(image=v.image, finding=finding, since=at) for v in verdicts for finding in v.blocked]
    if policy.when_inconclusive == "block":
        problems = [
            *problems,
            *(f"{v.image}: the scan is inconclusive: {v.inconclusive}" for v in verdicts if v.inconclusive),
        ]
    return Rescan(
        at=at,
        app=app,
        environment=environment,
        release=release,
        open=tuple(one.model_copy(update={"since": known.get(one.identity, at)}) for one in found),
        problems=tuple(problems),
    )


class Rescans:
    """The rescans of one environment, one object each; the newest is the first that a store lists."""

    def __init__(self, store: Store, app: str, environment: str) -> None:
        self._store, self._folder = store, f"rescans/{app}/{environment}"

    def add(self, rescan: Rescan) -> None:
        """Append `rescan`."""
        self._store.put(f"{self._folder}/{newest_first(rescan.at)}.json", rescan.model_dump_json().encode())

    def last(self) -> Rescan | None:
        """Return the newest one; none before the first."""
        key = next(iter(self._store.keys(self._folder)), None)
        return Rescan.model_validate_json(self._store.get(key)) if key else None
