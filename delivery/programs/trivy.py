"""Trivy's command lines, and its reports as values. It runs in a container, where these paths are."""

import json
from typing import Any, NamedTuple

from delivery.errors import Rejected
from delivery.releases.release import ImageRef
from delivery.scanning.findings import Finding, Gap

CACHE = "/cache"
DATABASE = f"{CACHE}/db"
METADATA = f"{DATABASE}/metadata.json"
LAYERS = f"{CACHE}/fanal/fanal.db"
OUTPUT = "/tmp/report.json"  # noqa: S108  # in a container of its own


class Parsed(NamedTuple):
    """What a report says."""

    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]
    packages: int
    version: str


def scan_argv(reference: str, *, vulnerabilities: bool, licences: bool) -> list[str]:
    """Look into an image in its registry; `vulnerabilities` needs a DATABASE.

    LAYERS is read first and written afterwards; scans at once need one each, since Trivy locks it.
    """
    scanners = ["secret", *["vuln"] * vulnerabilities, *["license"] * licences]
    no_update = ["--skip-db-update", "--skip-java-db-update"] * vulnerabilities
    return [
        *_image_argv("json"),
        *("--scanners", ",".join(scanners), "--image-config-scanners", "misconfig,secret"),
        *("--skip-check-update", *no_update),
        reference,
    ]


def of_archive(argv: list[str], path: str) -> list[str]:
    """Return the command line that looks into an image in a file instead of its registry."""
    return [*argv[:-1], "--input", path]


def sbom_argv(reference: str) -> list[str]:
    """Write what an image consists of as CycloneDX."""
    return [*_image_argv("cyclonedx"), reference]


def download_argv(repository: str | None) -> list[str]:
    """Bring the vulnerability database from `repository`, or from where Trivy has it, as DATABASE."""
    source = ["--db-repository", repository] if repository else []
    return ["trivy", "image", "--quiet", "--download-db-only", "--cache-dir", CACHE, "--disable-telemetry", *source]


def parse_report(text: bytes, ref: ImageRef, config: str = "") -> Parsed:
    """Return what the report says of `ref`; Rejected unless it is a whole report of exactly this image.

    An image in a file is known by the hash of its `config`.
    """
    try:
        report = json.loads(text)
        digests = [report["Metadata"]["ImageID"]] if config else report["Metadata"]["RepoDigests"]
        if report["SchemaVersion"] != 2 or not any(digest.endswith(config or ref.digest) for digest in digests):
            raise ValueError(f"it speaks of {', '.join(digests) or 'nothing'}")
        results = report.get("Results") or []
        findings = tuple(finding for result in results for finding in _findings(result))
        packages = sum(len(result.get("Packages") or []) for result in results)
        version = report["Trivy"]["Version"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise Rejected(
            f"{ref}: the scanner's report cannot be used, so nothing is known of the image: {problem}"
        ) from (error)
    return Parsed(findings, tuple(_gaps(report["Metadata"], packages)), packages, f"Trivy {version}")


def _image_argv(form: str) -> list[str]:
    return [
        *("trivy", "image", "--quiet", "--format", form, "--output", OUTPUT),
        *("--image-src", "remote", "--cache-dir", CACHE, "--cache-backend", "fs"),
        *("--offline-scan", "--skip-version-check", "--disable-telemetry"),
    ]


def _findings(result: dict[str, Any]) -> list[Finding]:
    target = result.get("Target", "")
    return [
        *(_vulnerability(found, target) for found in result.get("Vulnerabilities") or []),
        *(_secret(found, target) for found in result.get("Secrets") or []),
        *(_misconfiguration(found) for found in result.get("Misconfigurations") or [] if found["Status"] == "FAIL"),
        *(_licence(found) for found in result.get("Licenses") or []),
    ]


def _vulnerability(found: dict[str, Any], target: str) -> Finding:
    return Finding(
        kind="vulnerability",
        id=found["VulnerabilityID"],
        severity=found.get("Severity") or "UNKNOWN",
        package=found["PkgName"],
        version=found.get("InstalledVersion", ""),
        fixed_version=found.get("FixedVersion", ""),
        title=found.get("Title", ""),
        location=found.get("PkgPath") or target,
    )


def _secret(found: dict[str, Any], target: str) -> Finding:
    """Leave out what matched: the report is kept, and Trivy's mask covers only what its rule knows."""
    line = f":{found['StartLine']}" if found.get("StartLine") else ""
    return Finding(
        kind="secret",
        id=found["RuleID"],
        severity=found.get("Severity") or "UNKNOWN",
        title=found.get("Title", ""),
        location=f"{target}{line}",
    )


def _misconfiguration(found: dict[str, Any]) -> Finding:
    return Finding(
        kind="misconfiguration",
        id=found["ID"],
        severity=found.get("Severity") or "UNKNOWN",
        title=found.get("Title", ""),
    )


def _licence(found: dict[str, Any]) -> Finding:
    return Finding(
        kind="licence",
        id=found["Name"],
        severity=found.get("Severity") or "UNKNOWN",
        package=found.get("PkgName", ""),
        location=found.get("FilePath", ""),
    )


def _gaps(metadata: dict[str, Any], packages: int) -> list[Gap]:
    gaps: list[Gap] = []
    if packages == 0:
        gaps.append(Gap(id="no-packages", reason="no package of any kind was recognised in the image"))
    system = metadata.get("OS") or {}
    if system.get("EOSL"):
        name = f"{system.get('Family', 'its system')} {system.get('Name', '')}".strip()
        gaps.append(Gap(id="end-of-life", reason=f"{name} gets no security updates any more"))
    return gaps
