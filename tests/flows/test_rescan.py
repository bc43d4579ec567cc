"""What becomes known of images after they were released is found without a build."""

from datetime import UTC, datetime, timedelta

import pytest

from delivery.changes.rescans import judge_rescan
from delivery.errors import Rejected
from delivery.releases.release import ImageRef
from delivery.scanning.findings import Finding, ScanReport
from delivery.spec.scan import ScanPolicy
from flows.overview import environments
from flows.rescan import rescan
from tests.flows.fakes import CRITICAL
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
NIGHT = datetime(2026, 5, 1, 3, 30, tzinfo=UTC)
EVERYTHING = ScanPolicy()


@pytest.fixture
def live(platform):
    """A release is live in production, and in staging before it."""
    platform.describe(
        environments={"staging": {"target": MEMORY}, "production": {"target": MEMORY, "after": "staging"}}
    )
    run = platform.deliver()
    assert run.state.is_completed()
    platform.containers.calls.clear()
    return platform


def test_what_becomes_known_of_a_live_release_is_found_without_a_build(live):
    quiet = live.run(rescan, {})
    live.containers.findings["web"] = (CRITICAL,)

    run = live.run(rescan, {})

    assert quiet.ended[0] == "Completed"
    assert run.ended[0] == "Vulnerable"
    for said in (
        "production of shop: 1 finding in what is live, 1 of them new",
        "web: CRITICAL CVE-2030-1 in libweb 1.0 (fixed in 1.1)",
        "next: update it and deliver, or waive it under scan.waivers",
    ):
        assert said in run.ended[1]
    assert [view.rescan.open[0].finding for view in environments()] == [CRITICAL, CRITICAL]
    assert live.containers.calls["build web"] == 0


def test_an_image_of_two_environments_is_scanned_once_a_night(live):
    live.run(rescan, {})

    assert live.containers.calls["scan web"] == 1
    assert live.containers.calls["prepare scanner"] == 1


def test_an_image_that_cannot_be_scanned_is_no_good_sign(live):
    live.containers.fail("scan web", Rejected("web: the registry has it no more"))

    run = live.run(rescan, {})

    assert run.ended[0] == "Vulnerable"
    assert "production of shop: web could not be scanned: web: the registry has it no more" in run.ended[1]


@pytest.mark.long
def test_where_nothing_was_released_there_is_nothing_to_scan(platform):
    run = platform.run(rescan, {})

    assert run.ended[0] == "Completed"


def report(*findings: Finding, fresh: bool = True) -> ScanReport:
    ref = ImageRef(repository="shop/web", digest=f"sha256:{'a' * 64}")
    fields = {"image": "web", "ref": ref, "findings": findings, "scanned_at": NIGHT, "scanner": "0"}
    built, status = (NIGHT, "fresh") if fresh else (None, "missing")
    return ScanReport.model_validate(fields | {"database_built": built, "database_status": status})


def judged(*reports, policy=EVERYTHING, last=None, at=NIGHT):
    return judge_rescan("shop", "production", "r1", reports, policy, problems=(), last=last, at=at)


def test_what_was_known_before_keeps_its_date_and_is_not_new():
    first = judged(report(CRITICAL))
    other = CRITICAL.model_copy(update={"id": "CVE-2030-2"})

    second = judged(report(CRITICAL, other), last=first, at=NIGHT + timedelta(days=1))

    assert {one.finding.id: one.since for one in second.open} == {
        "CVE-2030-1": NIGHT,
        "CVE-2030-2": NIGHT + timedelta(days=1),
    }
    assert [one.finding.id for one in second.new] == ["CVE-2030-2"]
    assert [one.finding.id for one in first.new] == ["CVE-2030-1"]


def test_a_waiver_closes_it_and_opens_it_again_when_it_is_over():
    waiver = {"id": CRITICAL.id, "owner": "sam", "reason": "not reachable", "expires": NIGHT.date()}
    policy = ScanPolicy.model_validate({"waivers": [waiver]})

    during = judged(report(CRITICAL), policy=policy)
    after = judged(report(CRITICAL), policy=policy, at=NIGHT + timedelta(days=1))

    assert during.is_well
    assert not after.is_well


@pytest.mark.parametrize(("when_inconclusive", "well"), [("block", False), ("allow", True)])
def test_a_night_without_a_vulnerability_database_is_no_good_sign(when_inconclusive, well):
    found = judged(report(fresh=False), policy=ScanPolicy(when_inconclusive=when_inconclusive))

    assert found.is_well is well
