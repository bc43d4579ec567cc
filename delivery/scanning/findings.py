"""What a scan of an image found, and whether the policy allows it."""

from collections import Counter
from datetime import date, datetime
from typing import Literal

from pydantic import Field

from delivery.errors import Rejected
from delivery.model import Model
from delivery.releases.release import ImageRef
from delivery.spec.scan import ScanPolicy, Severity, Waiver

Kind = Literal["vulnerability", "secret", "misconfiguration", "licence"]
DatabaseStatus = Literal["fresh", "stale", "missing"]

INCONCLUSIVE_STEP = "make a database reachable (scan.database), or let it pass with scan.when_inconclusive: allow"
SHOWN = 5
FIX_UNKNOWN = "unknown"
_PLURAL: dict[Kind, str] = {
    "vulnerability": "vulnerabilities",
    "secret": "secrets",
    "misconfiguration": "misconfigurations",
    "licence": "licences",
}


class Finding(Model):
    """One thing a scanner saw in an image."""

    kind: Kind
    id: str = Field(description="CVE, rule or secret id; of a licence its name")
    severity: Severity
    package: str = ""
    version: str = ""
    fixed_version: str = Field("", description="empty: there is no fix; `unknown`: it is not known whether there is")
    title: str = ""
    location: str = Field("", description="file in the image, with the line of a secret")

    def __str__(self) -> str:
        """One line for people."""
        where = f" in {self.package} {self.version}".rstrip() if self.package else ""
        fix = f" (fixed in {self.fixed_version})" if self.fixed_version else ""
        if self.fixed_version == FIX_UNKNOWN:
            fix = " (whether there is a fix is not known)"
        at = f" at {self.location}" if self.location and not self.package else ""
        return f"{self.id}{where}{fix}{at}" + (f": {self.title}" if self.title else "")


class RegistryScan(Model):
    """What the registry's own scan says of an image; with a `problem` it says nothing."""

    findings: tuple[Finding, ...] = ()
    problem: str = ""


class Gap(Model):
    """Something the scanner cannot say of this image; a waiver may name its id."""

    id: Literal["no-packages", "end-of-life"]
    reason: str


class ScanReport(Model):
    """Everything a scan of one image says."""

    image: str
    ref: ImageRef
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    packages: int = Field(0, description="how many packages were recognised")
    scanned_at: datetime
    database_built: datetime | None = None
    database_status: DatabaseStatus
    database_problem: str = Field("", description="why there is no newer database")
    scanner: str
    registry_problem: str = Field("", description="why the registry, which was asked too, said nothing")


class Waived(Model):
    """A finding or gap that somebody answers for."""

    finding: Finding | Gap
    waiver: Waiver

    def __str__(self) -> str:
        """One line for people."""
        what = self.finding.reason if isinstance(self.finding, Gap) else str(self.finding)
        return f"{what}, waived by {self.waiver.owner} until {self.waiver.expires}: {self.waiver.reason}"


class ScanVerdict(Model):
    """What a policy makes of a report."""

    image: str
    ref: ImageRef
    blocked: tuple[Finding, ...] = ()
    waived: tuple[Waived, ...] = ()
    expired: tuple[Waiver, ...] = Field((), description="waivers that would have let a finding pass")
    inconclusive: str = Field("", description="why the scan cannot say that the image is clean")
    when_inconclusive: Literal["block", "allow"] = "block"

    def enforce(self) -> None:
        """Return when the image may pass; Rejected with everything a person needs when it may not."""
        name = f"{self.image}@{self.ref.digest[:19]}…"
        if self.blocked:
            raise Rejected(f"{name}: {self._blocked_message()}")
        if self.inconclusive and self.when_inconclusive == "block":
            raise Rejected(f"{name}: the scan is inconclusive: {self.inconclusive}\n  next: {INCONCLUSIVE_STEP}")

    def _blocked_message(self) -> str:
        first, *others = self.blocked[:SHOWN]
        lines = [f"{count_findings(self.blocked)}, 0 allowed; first: {first}"]
        lines += [f"  also: {finding}" for finding in others]
        if len(self.blocked) > SHOWN:
            lines.append(f"  and {len(self.blocked) - SHOWN} more")
        for waiver in self.expired:
            lines.append(f"  the waiver of {waiver.id} by {waiver.owner} expired on {waiver.expires}")
        lines.append("  next: remove or update it, or waive it under scan.waivers with owner, reason and expires")
        return "\n".join(lines)


def check_scan(report: ScanReport, policy: ScanPolicy, today: date) -> ScanVerdict:
    """Sort what was found into blocked and waived, and say whether the scan could see enough."""
    refused = [finding for finding in report.findings if _is_refused(finding, policy)]
    gaps = report.gaps if policy.block else ()
    waived: list[Waived] = []
    blocked: list[Finding] = []
    reasons = list(_database_problems(report, policy))
    expired: dict[Waiver, None] = {}
    candidates: list[Finding | Gap] = [*refused, *gaps]
    for finding in candidates:
        waivers = [waiver for waiver in policy.waivers if _speaks_of(waiver, finding)]
        valid = [waiver for waiver in waivers if waiver.expires >= today]
        if valid:
            waived.append(Waived(finding=finding, waiver=valid[0]))
            continue
        expired |= dict.fromkeys(waivers)
        if isinstance(finding, Gap):
            reasons.append(f"{finding.reason} (waivers may name {finding.id})")
        else:
            blocked.append(finding)
    return ScanVerdict(
        image=report.image,
        ref=report.ref,
        blocked=tuple(sorted(blocked, key=_worst_first)),
        waived=tuple(waived),
        expired=tuple(expired),
        inconclusive="; ".join(reasons),
        when_inconclusive=policy.when_inconclusive,
    )


def database_status(built: datetime | None, now: datetime, max_age_hours: int) -> DatabaseStatus:
    """Say whether a database of that date is young enough; one dated in the future is not."""
    if built is None:
        return "missing"
    hours = (now - built).total_seconds() / 3600
    return "fresh" if -1 <= hours <= max_age_hours else "stale"


def count_findings(findings: tuple[Finding, ...]) -> str:
    """Return `2 critical vulnerabilities and 1 secret`, worst first."""
    counts = Counter(
        (finding.kind, finding.severity if finding.kind == "vulnerability" else "")
        for finding in sorted(findings, key=_worst_first)
    )
    parts = [
        f"{count} {severity.lower()} {kind if count == 1 else _PLURAL[kind]}".replace("  ", " ")
        for (kind, severity), count in counts.items()
    ]
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "no findings"


def _is_refused(finding: Finding, policy: ScanPolicy) -> bool:
    match finding.kind:
        case "vulnerability":
            return finding.severity in policy.block and bool(finding.fixed_version or not policy.ignore_unfixed)
        case "secret":
            return policy.secrets == "block"
        case "misconfiguration":
            return finding.severity in policy.misconfigurations
        case "licence":
            return finding.id.lower() in {licence.lower() for licence in policy.forbidden_licences}


def database_problem(policy: ScanPolicy, built: datetime | None, now: datetime, problem: str = "") -> str:
    """Say why a scan with a database of that date is inconclusive, or nothing; `problem`: why there is no newer one."""
    if not policy.block:  # nobody asked for vulnerabilities
        return ""
    why = f" ({problem})" if problem else ""
    if built is None:
        return f"there is no vulnerability database, so vulnerabilities cannot be looked for{why}"
    if database_status(built, now, policy.max_age_hours) == "stale":
        hours = (now - built).total_seconds() / 3600
        return (
            f"the vulnerability database of {built:%Y-%m-%d %H:%M} is {hours:.0f} h old, "
            f"{policy.max_age_hours} h allowed{why}"
        )
    return ""


def check_database(policy: ScanPolicy, built: datetime | None, now: datetime, problem: str = "") -> None:
    """Return when scans can say yes or no, or need not; Rejected when a release could not pass, before it is built."""
    said = database_problem(policy, built, now, problem)
    if said and policy.when_inconclusive == "block":
        raise Rejected(
            f"scan.when_inconclusive: block: every scan of this run would be inconclusive: {said}\n"
            f"  next: {INCONCLUSIVE_STEP}"
        )


def _database_problems(report: ScanReport, policy: ScanPolicy) -> list[str]:
    built = report.database_built if report.database_status != "missing" else None
    said = database_problem(policy, built, report.scanned_at, report.database_problem)
    return [one for one in (said, report.registry_problem if policy.block else "") if one]


def with_registry(report: ScanReport, scan: RegistryScan) -> ScanReport:
    """Return the report with what the registry found beside it: the same thing in the same package is there once."""
    known = {(finding.id, finding.package) for finding in report.findings}
    more = tuple(finding for finding in scan.findings if (finding.id, finding.package) not in known)
    return report.model_copy(update={"findings": report.findings + more, "registry_problem": scan.problem})


def _speaks_of(waiver: Waiver, finding: Finding | Gap) -> bool:
    if isinstance(finding, Gap):
        return waiver.id == finding.id
    return waiver.id.lower() == finding.id.lower() and waiver.package in (None, finding.package)


def _worst_first(finding: Finding) -> tuple[int, str, str]:
    order = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")
    return (0 if finding.kind == "secret" else 1 + order.index(finding.severity), finding.id, finding.package)
