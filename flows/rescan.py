"""Whether what is live would be released today: vulnerabilities become known after a release."""

from collections.abc import Awaitable
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from delivery.changes.rescans import Rescan
from delivery.releases.release import ImageRef
from delivery.scanning.findings import ScanReport
from delivery.spec.scan import ScanPolicy
from flows.limits import one_by_one, raise_failures
from tasks.known import KnownEnvironment, known_environments
from tasks.rescan import find_live, keep_rescan, refresh_database, scan_live

Scans = dict[tuple[ImageRef, ScanPolicy], ScanReport | str]


@flow(name="rescan", persist_result=False)
async def rescan() -> list[Rescan] | State[Any]:
    """Scan the images of every live release again; runs every night, builds and changes nothing.

    Ends Vulnerable when today's policy would keep one out, or when that cannot be told.
    """
    scans: Scans = {}
    environments = await known_environments()
    found, failures = await one_by_one(_look_again(one, scans, str(flow_run.id)) for one in environments)
    raise_failures(failures)
    seen = [one for one in found if one]
    if bad := [one.describe() for one in seen if not one.is_well]:
        return Completed(name="Vulnerable", message="\n".join(bad))
    return seen


async def _look_again(known: KnownEnvironment, scans: Scans, run: str) -> Rescan | None:
    """Return what a scan of what is live there showed, none where nothing is live; equal images are scanned once."""
    release, problem = await find_live(known)
    if release is None and not problem:
        return None
    policy, problems = known.app.scan, [problem] if problem else []
    if release and not any(asked == policy for _, asked in scans):
        await refresh_database(policy, run)
    for name, ref in (release.images if release else {}).items():
        if (ref, policy) not in scans:
            scans[ref, policy] = await _told(scan_live(name, ref, policy, run))
    looks = {name: scans[ref, policy] for name, ref in (release.images if release else {}).items()}
    problems += [f"{name} could not be scanned: {look}" for name, look in looks.items() if isinstance(look, str)]
    reports = [look.model_copy(update={"image": name}) for name, look in looks.items() if isinstance(look, ScanReport)]
    return await keep_rescan(known, release.fingerprint if release else "", reports, problems)


async def _told(scan: Awaitable[ScanReport]) -> ScanReport | str:
    """Return the report, or why there is none: one image that cannot be scanned hides none of the others."""
    reports, failures = await one_by_one([scan])
    return reports[0] if reports else str(failures[0])
