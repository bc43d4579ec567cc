import json
from pathlib import Path

import pytest

from delivery.errors import Rejected
from delivery.programs import trivy
from delivery.releases.release import ImageRef

CASES = Path(__file__).parent / "cases" / "trivy"


def _case(name):
    text = (CASES / f"{name}.json").read_bytes()
    repository, _, digest = json.loads(text)["Metadata"]["RepoDigests"][0].partition("@")
    return text, ImageRef(repository=repository, digest=digest)


def _changed(**changes):
    text, ref = _case("planted")
    return json.dumps({**json.loads(text), **changes}).encode(), ref


IMAGE = "127.0.0.1:5000/shop/web@sha256:" + "9d" * 32
COMMON = [
    *("--image-src", "remote", "--cache-dir", "/cache", "--cache-backend", "fs"),
    *("--offline-scan", "--skip-version-check", "--disable-telemetry"),
]


def test_a_scan_reads_the_image_from_its_registry_by_digest():
    assert trivy.scan_argv(IMAGE, vulnerabilities=True, licences=True) == [
        *("trivy", "image", "--quiet", "--format", "json", "--output", "/tmp/report.json", *COMMON),
        *("--scanners", "secret,vuln,license", "--image-config-scanners", "misconfig,secret"),
        *("--skip-check-update", "--skip-db-update", "--skip-java-db-update", IMAGE),
    ]


def test_without_a_database_vulnerabilities_are_not_looked_for():
    argv = trivy.scan_argv(IMAGE, vulnerabilities=False, licences=False)

    assert argv[argv.index("--scanners") + 1] == "secret"
    assert "--skip-db-update" not in argv


def test_the_bill_of_materials_is_cyclonedx():
    assert trivy.sbom_argv(IMAGE) == [
        *("trivy", "image", "--quiet", "--format", "cyclonedx", "--output", "/tmp/report.json", *COMMON, IMAGE)
    ]


@pytest.mark.long
def test_the_database_comes_from_where_the_policy_says():
    start = ["trivy", "image", "--quiet", "--download-db-only", "--cache-dir", "/cache", "--disable-telemetry"]

    assert trivy.download_argv(None) == start
    assert trivy.download_argv("127.0.0.1:5000/db:2") == [*start, "--db-repository", "127.0.0.1:5000/db:2"]


def test_every_kind_of_finding_is_read():
    parsed = trivy.parse_report(*_case("planted"))

    assert [(found.kind, found.id, found.severity) for found in parsed.findings] == [
        ("vulnerability", "CVE-2024-43796", "HIGH"),
        ("vulnerability", "CVE-2020-8203", "CRITICAL"),
        ("secret", "aws-access-key-id", "CRITICAL"),
        ("licence", "MIT", "LOW"),
    ]
    assert (parsed.packages, parsed.gaps, parsed.version) == (2, (), "Trivy 0.76.0")
    express, lodash, secret, _ = parsed.findings
    assert (express.package, express.version, express.fixed_version) == ("express", "4.17.1", "4.20.0")
    assert lodash.fixed_version == ""
    assert secret.location == "/app/settings.env:1"


def test_misconfigurations_count_only_when_they_failed():
    parsed = trivy.parse_report(*_case("root"))

    assert [(found.id, found.severity, found.title) for found in parsed.findings] == [
        ("DS-0002", "HIGH", "Image user should not be 'root'"),
        ("DS-0026", "LOW", "No HEALTHCHECK defined"),
    ]


def test_a_system_without_security_updates_is_a_gap():
    parsed = trivy.parse_report(*_case("root"))

    assert [(gap.id, gap.reason) for gap in parsed.gaps] == [
        ("end-of-life", "debian 12.15 gets no security updates any more")
    ]


@pytest.mark.parametrize("results", [None, []])
def test_an_image_in_which_nothing_was_recognised_is_a_gap(results):
    parsed = trivy.parse_report(*_changed(Results=results))

    assert [gap.id for gap in parsed.gaps] == ["no-packages"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"2026-01-01 FATAL error",
        (CASES / "planted.json").read_bytes()[:500],
        _changed(SchemaVersion=3)[0],
        _changed(Results=["nothing"])[0],
        _changed(Results=[{"Vulnerabilities": [{"Severity": "HIGH"}]}])[0],
        _changed(Results=[{"Vulnerabilities": [{"VulnerabilityID": "1", "PkgName": "x", "Severity": "BAD"}]}])[0],
        _changed(Metadata={"RepoDigests": []})[0],
        _changed(Metadata={"RepoDigests": ["registry.example.org/planted@sha256:" + "0" * 64]})[0],
    ],
    ids=range(12),
)
def test_a_report_that_is_not_whole_or_of_another_image_does_not_pass(text):
    _, ref = _case("planted")

    with pytest.raises(Rejected, match="so nothing is known of the image"):
        trivy.parse_report(text, ref)
