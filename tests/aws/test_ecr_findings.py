"""What ECR says of its scans, read: of shapes that its service model has."""

import pytest

from delivery.aws.ecr_findings import scan_of
from delivery.scanning.findings import FIX_UNKNOWN, RegistryScan


def told(status="COMPLETE", **found):
    return {"imageScanStatus": {"status": status, "description": "why"}, "imageScanFindings": found}


def test_basic_scanning_names_package_and_severity_and_no_fix():
    attributes = [{"key": "package_name", "value": "openssl"}, {"key": "package_version", "value": "3.0.1"}]
    one = {"name": "CVE-2026-1", "severity": "CRITICAL", "description": "Bad", "attributes": attributes}

    [found] = scan_of(told(findings=[one])).findings

    assert (found.id, found.severity, found.package, found.version) == ("CVE-2026-1", "CRITICAL", "openssl", "3.0.1")
    assert found.fixed_version == FIX_UNKNOWN
    assert str(found) == "CVE-2026-1 in openssl 3.0.1 (whether there is a fix is not known): Bad"


@pytest.mark.parametrize(
    ("package", "available", "fixed"),
    [
        ({"fixedInVersion": "3.0.2"}, "YES", "3.0.2"),
        ({"fixedInVersion": "NotAvailable"}, "NO", ""),
        ({}, "NO", ""),
        ({}, "PARTIAL", FIX_UNKNOWN),
        ({}, "", FIX_UNKNOWN),
    ],
)
def test_inspector_names_a_fix_for_each_package(package, available, fixed):
    about = {"vulnerabilityId": "CVE-2026-2", "vulnerablePackages": [{"name": "zlib", "version": "1", **package}]}
    one = {"severity": "HIGH", "status": "ACTIVE", "fixAvailable": available, "packageVulnerabilityDetails": about}

    [found] = scan_of(told("ACTIVE", enhancedFindings=[one])).findings

    assert (found.id, found.severity, found.package, found.fixed_version) == ("CVE-2026-2", "HIGH", "zlib", fixed)


@pytest.mark.parametrize("status", ["SUPPRESSED", "CLOSED"])
def test_what_inspector_suppressed_or_closed_is_no_finding(status):
    about = {"vulnerabilityId": "CVE-2026-2", "vulnerablePackages": [{"name": "zlib", "version": "1"}]}

    scan = scan_of(told(enhancedFindings=[{"status": status, "packageVulnerabilityDetails": about}]))

    assert scan == RegistryScan()


@pytest.mark.parametrize(("said", "severity"), [("INFORMATIONAL", "LOW"), ("UNDEFINED", "UNKNOWN"), ("NEW", "UNKNOWN")])
def test_severities_that_are_none_of_ours_have_their_place(said, severity):
    assert scan_of(told(findings=[{"name": "CVE-2026-1", "severity": said}])).findings[0].severity == severity


@pytest.mark.parametrize("status", ["IN_PROGRESS", "PENDING"])
def test_a_scan_that_goes_on_says_nothing(status):
    assert scan_of(told(status)) is None


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE", "SOMETHING_NEW"])
def test_a_scan_that_cannot_tell_found_nothing_and_does_not_say_that_there_is_nothing(status):
    assert scan_of(told(status)) == RegistryScan(problem=f"ECR's scan: {status}: why")
