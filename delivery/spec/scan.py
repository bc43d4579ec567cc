"""What stands in headway.yaml about scans: which findings stop a release, and which are known."""

from datetime import date
from typing import Literal

from pydantic import Field

from delivery.model import Model

Severity = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


class Waiver(Model):
    """A finding that somebody answers for until a date."""

    id: str = Field(description="CVE, rule or secret id; licences by name")
    package: str | None = Field(None, description="only in this package; none: in any")
    owner: str = Field(min_length=2, description="who answers for it")
    reason: str = Field(min_length=5, description="why it may stay until then")
    expires: date = Field(description="the last day it counts")


class ScanPolicy(Model):
    """What a scan must not show."""

    block: tuple[Severity, ...] = Field(("CRITICAL", "HIGH"), description="vulnerabilities that stop a release")
    ignore_unfixed: bool = Field(True, description="pass vulnerabilities for which there is no fix")
    secrets: Literal["block", "allow"] = Field("block", description="what a secret in an image does")
    misconfigurations: tuple[Severity, ...] = Field(("CRITICAL",), description="image misconfigurations that stop")
    forbidden_licences: tuple[str, ...] = Field((), description="licences, by SPDX name, that stop a release")
    waivers: tuple[Waiver, ...] = Field((), description="findings that pass until a date")
    database: str | None = Field(None, description="OCI repository of the vulnerability database; none: Trivy's own")
    registry: Literal["ignore", "add"] = Field("ignore", description="what the registry's own scan (ECR's) found")
    max_age_hours: int = Field(72, ge=1, description="older databases are inconclusive")
    when_inconclusive: Literal["block", "allow"] = Field("block", description="when a scan cannot say yes or no")
