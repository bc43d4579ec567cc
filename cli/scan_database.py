"""What is known of the vulnerability database without asking for it: whether a scan will be able to say yes or no."""

from datetime import UTC, datetime

from delivery.ports.scanner import VulnerabilityDatabase
from delivery.scanning.findings import INCONCLUSIVE_STEP, database_problem
from delivery.spec.scan import ScanPolicy


def warning_of(policy: ScanPolicy) -> str:
    """Return why the next run may be rejected at its start, or nothing when no reason for it is known."""
    known = _last_known(policy)
    if known is None or not known.problem or policy.when_inconclusive == "allow":
        return ""
    problem = database_problem(policy, known.built, datetime.now(UTC), known.problem)
    asked = f"{known.checked_at:%Y-%m-%d %H:%M} UTC"
    return problem and f"scan.when_inconclusive: block: {problem}; last asked at {asked}\n  next: {INCONCLUSIVE_STEP}"


def describe(policy: ScanPolicy) -> str:
    """Say in a few words what is known of the database."""
    known = _last_known(policy)
    if known is None:
        return "not asked for yet"
    return f"of {known.built:%Y-%m-%d %H:%M} UTC" if known.built else f"none ({known.problem})"


def _last_known(policy: ScanPolicy) -> VulnerabilityDatabase | None:
    from delivery.opening import open_services  # every command that only mentions this would wait for it

    return open_services().scanner.last_known(policy)
