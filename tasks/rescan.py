"""Scan what is live again."""

from datetime import UTC, datetime

from blocks.artifact_store import current_store
from delivery.changes.rescans import Rescan, Rescans, judge_rescan
from delivery.errors import HeadwayError, Transient
from delivery.releases.release import ImageRef, Release
from delivery.scanning.findings import ScanReport
from delivery.spec.scan import ScanPolicy
from tasks.environment import open_target
from tasks.known import KnownEnvironment
from tasks.scan import look_into
from tasks.services import open_services
from tasks.step import log, step


@step(timeout_seconds=300, name="look what is live in {known.environment}", keep=False)
def find_live(known: KnownEnvironment) -> tuple[Release | None, str]:
    """Return what is live, and why that cannot be told; neither where nothing is."""
    try:
        with open_target(known.app, known.environment) as target:
            live = target.observe().live
    except Transient:
        raise
    except HeadwayError as error:  # to know nothing is no good sign
        return None, f"what is live cannot be told: {error}"
    return (live.release if live else None), ""


@step(timeout_seconds=900, name="fetch the vulnerability database", keep=False)
def refresh_database(policy: ScanPolicy, run: str) -> None:
    """Bring up the scanner with the newest database that can be had; each scan tells when that is too old."""
    open_services().scanner.prepare(policy, run)


@step(timeout_seconds=900, name="scan {name}, which is live", keep=False)
def scan_live(name: str, ref: ImageRef, policy: ScanPolicy, run: str) -> ScanReport:
    """Return what is in an image that is live, with what its registry found where the policy adds that."""
    return look_into(open_services().scanner, name, ref, policy, run)


@step(timeout_seconds=60, name="judge what is live in {known.environment}", keep=False)
def keep_rescan(known: KnownEnvironment, release: str, reports: list[ScanReport], problems: list[str]) -> Rescan:
    """Return what today's policy says of what is live, and keep it."""
    app, environment = known.app.app, known.environment
    rescans = Rescans(current_store(), app, environment)
    found = judge_rescan(
        app,
        environment,
        release,
        reports,
        known.app.scan,
        problems=problems,
        last=rescans.last(),
        at=datetime.now(UTC),
    )
    rescans.add(found)
    if not found.is_well:
        log().warning("%s", found.describe())
    return found


def last_rescan(app: str, environment: str) -> Rescan | None:
    """Return what the last scan of what is live there showed."""
    return Rescans(current_store(), app, environment).last()
