"""What ECR's own scan found in an image, in this product's words: basic scanning and Amazon Inspector's alike."""

from collections.abc import Iterator, Mapping
from typing import Any

from delivery.scanning.findings import FIX_UNKNOWN, Finding, RegistryScan
from delivery.spec.scan import Severity

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanStatus.html; a status that is not known is
# told as it is, and never taken for a scan that found nothing.
RUNNING = ("IN_PROGRESS", "PENDING")
DONE = ("COMPLETE", "ACTIVE")
_SEVERITIES: Mapping[str, Severity] = {
    "CRITICAL": "CRITICAL",
    "HIGH": "HIGH",
    "MEDIUM": "MEDIUM",
    "LOW": "LOW",
    "INFORMATIONAL": "LOW",
}


def scan_of(told: Mapping[str, Any]) -> RegistryScan | None:
    """Return what DescribeImageScanFindings says of an image; none while its scan goes on."""
    about = told["imageScanStatus"]
    if about["status"] in RUNNING:
        return None
    if about["status"] not in DONE:
        why = about.get("description", "")
        return RegistryScan(problem=f"ECR's scan: {about['status']}" + (f": {why}" if why else ""))
    found = told["imageScanFindings"]
    basic = (_basic(one) for one in found.get("findings", ()))
    enhanced = (finding for one in found.get("enhancedFindings", ()) for finding in _enhanced(one))
    return RegistryScan(findings=(*basic, *enhanced))


def _basic(found: Mapping[str, Any]) -> Finding:
    """Return a finding of basic scanning, which does not say whether there is a fix.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFinding.html
    """
    attributes = {one["key"]: one.get("value", "") for one in found.get("attributes", ())}
    return Finding(
        kind="vulnerability",
        id=found["name"],
        severity=_SEVERITIES.get(found.get("severity", ""), "UNKNOWN"),
        package=attributes.get("package_name", ""),
        version=attributes.get("package_version", ""),
        fixed_version=FIX_UNKNOWN,
        title=found.get("description", "")[:200],
    )


def _enhanced(found: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each package that Inspector names; those that are suppressed or closed are none.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_EnhancedImageScanFinding.html
    """
    if found.get("status", "ACTIVE") != "ACTIVE":
        return
    about = found.get("packageVulnerabilityDetails", {})
    for package in about.get("vulnerablePackages", ()):
        fixed = package.get("fixedInVersion", "")
        yield Finding(
            kind="vulnerability",
            id=about["vulnerabilityId"],
            severity=_SEVERITIES.get(found.get("severity", ""), "UNKNOWN"),
            package=package.get("name", ""),
            version=package.get("version", ""),
            fixed_version="" if fixed == "NotAvailable" else fixed or _fix(found.get("fixAvailable", "")),
            title=found.get("title", ""),
        )


def _fix(available: str) -> str:
    return "" if available == "NO" else FIX_UNKNOWN
