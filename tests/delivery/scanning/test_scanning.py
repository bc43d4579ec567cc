from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.errors import Rejected
from delivery.releases.release import ImageRef
from delivery.scanning.findings import (
    FIX_UNKNOWN,
    Finding,
    Gap,
    RegistryScan,
    ScanReport,
    check_scan,
    count_findings,
    database_status,
    with_registry,
)
from delivery.spec.scan import ScanPolicy, Waiver

TODAY = date(2026, 5, 1)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPENSSL = Finding(
    kind="vulnerability",
    id="CVE-2026-1",
    severity="CRITICAL",
    package="libssl3",
    version="3.0.1",
    fixed_version="3.0.2",
)
UNFIXED = Finding(kind="vulnerability", id="CVE-2026-2", severity="HIGH", package="zlib1g", version="1.2")
MEDIUM = Finding(kind="vulnerability", id="CVE-2026-3", severity="MEDIUM", package="curl", fixed_version="9")
SECRET = Finding(kind="secret", id="aws-access-key-id", severity="CRITICAL", location="/app/.env:3", title="AWS key")
ROOT = Finding(kind="misconfiguration", id="DS-0002", severity="HIGH", title="runs as root")
GPL = Finding(kind="licence", id="GPL-3.0-only", severity="HIGH", package="readline")


def _report(*findings, built=NOW - timedelta(hours=1), status="fresh", gaps=()):
    return ScanReport(
        image="backend",
        ref=ImageRef(repository="127.0.0.1:5000/shop/backend", digest="sha256:" + "9d0c" * 16),
        findings=findings,
        gaps=gaps,
        packages=10,
        scanned_at=NOW,
        database_built=built,
        database_status=status,
        scanner="Trivy",
    )


def _waiver(id_, expires=TODAY, package=None):
    return Waiver(id=id_, package=package, owner="Ada", reason="not reachable", expires=expires)


def test_a_clean_image_passes():
    check_scan(_report(), ScanPolicy(), TODAY).enforce()


@pytest.mark.parametrize("finding", [OPENSSL, SECRET])
def test_a_finding_blocks(finding):
    with pytest.raises(Rejected, match="backend@sha256:9d0c"):
        check_scan(_report(finding), ScanPolicy(), TODAY).enforce()


def test_the_refusal_counts_names_the_worst_first_and_says_what_to_do():
    verdict = check_scan(_report(MEDIUM, OPENSSL, SECRET, ROOT), ScanPolicy(), TODAY)

    with pytest.raises(Rejected) as caught:
        verdict.enforce()

    assert str(caught.value).splitlines() == [
        "backend@sha256:9d0c9d0c9d0c…: 1 secret and 1 critical vulnerability, 0 allowed; "
        "first: aws-access-key-id at /app/.env:3: AWS key",
        "  also: CVE-2026-1 in libssl3 3.0.1 (fixed in 3.0.2)",
        "  next: remove or update it, or waive it under scan.waivers with owner, reason and expires",
    ]


def test_a_long_list_is_cut():
    many = [OPENSSL.model_copy(update={"id": f"CVE-2026-{number:02}"}) for number in range(12)]

    with pytest.raises(Rejected, match=r"12 critical vulnerabilities(.|\n)*and 7 more"):
        check_scan(_report(*many), ScanPolicy(), TODAY).enforce()


@pytest.mark.parametrize(
    ("finding", "policy"),
    [
        (MEDIUM, {}),
        (UNFIXED, {}),
        (OPENSSL, {"block": ("HIGH",)}),
        (SECRET, {"secrets": "allow"}),
        (ROOT, {}),
        (GPL, {}),
    ],
)
def test_what_the_policy_does_not_name_passes(finding, policy):
    check_scan(_report(finding), ScanPolicy(**policy), TODAY).enforce()


@pytest.mark.parametrize(
    ("finding", "policy"),
    [
        (MEDIUM, {"block": ("MEDIUM",)}),
        (UNFIXED, {"ignore_unfixed": False}),
        (ROOT, {"misconfigurations": ("HIGH",)}),
        (GPL, {"forbidden_licences": ("gpl-3.0-only",)}),
    ],
)
def test_what_the_policy_names_blocks(finding, policy):
    with pytest.raises(Rejected):
        check_scan(_report(finding), ScanPolicy(**policy), TODAY).enforce()


def test_a_waived_finding_passes_and_is_shown():
    verdict = check_scan(_report(OPENSSL), ScanPolicy(waivers=(_waiver("CVE-2026-1"),)), TODAY)

    verdict.enforce()
    assert [str(waived) for waived in verdict.waived] == [
        "CVE-2026-1 in libssl3 3.0.1 (fixed in 3.0.2), waived by Ada until 2026-05-01: not reachable"
    ]


def test_an_expired_waiver_blocks_and_is_named():
    waivers = (_waiver("CVE-2026-1", expires=TODAY - timedelta(days=1)),)

    with pytest.raises(Rejected, match="the waiver of CVE-2026-1 by Ada expired on 2026-04-30"):
        check_scan(_report(OPENSSL), ScanPolicy(waivers=waivers), TODAY).enforce()


def test_an_expired_waiver_does_not_stand_in_the_way_of_a_valid_one():
    waivers = (_waiver("CVE-2026-1", expires=date(2020, 1, 1)), _waiver("CVE-2026-1"))

    verdict = check_scan(_report(OPENSSL), ScanPolicy(waivers=waivers), TODAY)

    verdict.enforce()
    assert verdict.expired == ()


def test_a_waiver_of_one_package_does_not_cover_another():
    elsewhere = OPENSSL.model_copy(update={"package": "nodejs"})
    policy = ScanPolicy(waivers=(_waiver("CVE-2026-1", package="libssl3"),))

    verdict = check_scan(_report(OPENSSL, elsewhere), policy, TODAY)

    assert verdict.blocked == (elsewhere,)
    assert [waived.finding for waived in verdict.waived] == [OPENSSL]


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (_report(status="missing", built=None), "no vulnerability database"),
        (_report(status="fresh", built=None), "no vulnerability database"),
        (_report(status="stale", built=NOW - timedelta(hours=100)), "is 100 h old, 72 h allowed"),
        (_report(gaps=(Gap(id="no-packages", reason="nothing recognised"),)), "waivers may name no-packages"),
    ],
)
def test_a_scan_that_cannot_say_yes_is_inconclusive_and_the_policy_decides(report, why):
    with pytest.raises(Rejected, match=f"the scan is inconclusive(.|\n)*{why}"):
        check_scan(report, ScanPolicy(), TODAY).enforce()

    allowed = check_scan(report, ScanPolicy(when_inconclusive="allow"), TODAY)
    allowed.enforce()
    assert why in allowed.inconclusive


def test_allowing_the_inconclusive_lets_no_finding_through():
    with pytest.raises(Rejected, match="1 secret"):
        check_scan(
            _report(SECRET, status="missing", built=None), ScanPolicy(when_inconclusive="allow"), TODAY
        ).enforce()


def test_a_gap_can_be_waived_by_its_id():
    report = _report(gaps=(Gap(id="no-packages", reason="nothing recognised"),))

    verdict = check_scan(report, ScanPolicy(waivers=(_waiver("no-packages"),)), TODAY)

    verdict.enforce()
    assert str(verdict.waived[0]).startswith("nothing recognised, waived by Ada")


def test_who_asks_for_no_vulnerabilities_needs_no_database():
    report = _report(status="missing", built=None, gaps=(Gap(id="no-packages", reason="nothing recognised"),))

    check_scan(report, ScanPolicy(block=()), TODAY).enforce()


@pytest.mark.parametrize(
    ("built", "status"),
    [
        (None, "missing"),
        (NOW - timedelta(hours=72), "fresh"),
        (NOW - timedelta(hours=73), "stale"),
        (NOW + timedelta(minutes=5), "fresh"),
        (NOW + timedelta(days=400), "stale"),
        (datetime(1, 1, 1, tzinfo=UTC), "stale"),
    ],
)
def test_the_age_of_the_database_decides(built, status):
    assert database_status(built, NOW, 72) == status


def test_findings_are_counted_by_kind():
    assert count_findings((OPENSSL, UNFIXED, UNFIXED, SECRET, GPL)) == (
        "1 secret, 1 critical vulnerability, 2 high vulnerabilities and 1 licence"
    )
    assert count_findings(()) == "no findings"


@given(st.lists(st.sampled_from([OPENSSL, UNFIXED, MEDIUM, SECRET, ROOT, GPL]), max_size=6), st.booleans())
def test_no_finding_the_policy_refuses_ever_passes_without_a_waiver(findings, everything):
    policy = ScanPolicy(
        block=("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN") if everything else ("CRITICAL",),
        ignore_unfixed=not everything,
        misconfigurations=("HIGH",) if everything else (),
        forbidden_licences=("GPL-3.0-only",) if everything else (),
    )

    blocked = check_scan(_report(*findings), policy, TODAY).blocked

    refused = findings if everything else [found for found in findings if found in (OPENSSL, SECRET)]
    assert sorted(blocked, key=str) == sorted(refused, key=str)


def test_what_the_registry_alone_found_blocks_and_what_both_found_is_there_once():
    alone = Finding(kind="vulnerability", id="CVE-2026-9", severity="HIGH", package="nginx", fixed_version=FIX_UNKNOWN)
    twice = OPENSSL.model_copy(update={"fixed_version": FIX_UNKNOWN})

    both = with_registry(_report(OPENSSL), RegistryScan(findings=(twice, alone)))

    assert both.findings == (OPENSSL, alone)
    assert check_scan(both, ScanPolicy(), TODAY).blocked == (OPENSSL, alone)
    assert check_scan(both, ScanPolicy(waivers=(_waiver("CVE-2026-9"),)), TODAY).blocked == (OPENSSL,)


@pytest.mark.parametrize(("policy", "said"), [({}, "ECR's scan: FAILED"), ({"block": ()}, "")])
def test_a_registry_that_was_asked_and_says_nothing_makes_a_scan_inconclusive(policy, said):
    report = with_registry(_report(), RegistryScan(problem="ECR's scan: FAILED"))

    assert check_scan(report, ScanPolicy(**policy), TODAY).inconclusive == said
