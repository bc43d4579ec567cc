"""Stand-ins for what a delivery does in containers: they keep, build, scan, test and restore, only not for real."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from delivery.errors import Misconfigured
from delivery.memory.target import Behaviour, Program
from delivery.ports.belongings import Belonging
from delivery.ports.builder import BuildRequest, Looked
from delivery.ports.cells import CellResult
from delivery.ports.environment import Services
from delivery.ports.jobs import Job
from delivery.ports.orphans import Orphan
from delivery.ports.scanner import VulnerabilityDatabase
from delivery.progress import Tell
from delivery.releases.release import BaseImage, BuiltImage, ImageRef, Release
from delivery.report.record import DeliveryRecord
from delivery.scanning.findings import Finding, ScanReport
from delivery.spec.app import App
from delivery.spec.images import Image
from delivery.spec.scan import ScanPolicy
from delivery.spec.stand_ins import StandIns

CRITICAL = Finding(
    kind="vulnerability", id="CVE-2030-1", severity="CRITICAL", package="libweb", version="1.0", fixed_version="1.1"
)


@dataclass
class Containers:
    """What a container engine, its registry and its databases would do; `calls` counts what was asked for."""

    calls: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, list[BaseException]] = field(default_factory=dict)
    during: dict[str, Callable[[], object]] = field(default_factory=dict)
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    database_status: str = "fresh"
    outcomes: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    complaints: dict[str, str] = field(default_factory=dict)
    databases: dict[str, list[str]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    published: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    stand_ins: dict[str, BaseImage] = field(default_factory=dict)
    out_of_reach: set[str] = field(default_factory=set)
    bases: dict[str, list[str]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    living: set[str] = field(default_factory=set)

    def fail(self, what: str, *errors: BaseException) -> None:
        """Let the next calls of `what` fail, one error for each."""
        self.troubles[what] = list(errors)

    def _begin(self, what: str) -> None:
        self.calls[what] += 1
        self.during.get(what, lambda: None)()
        if self.troubles.get(what):
            raise self.troubles[what].pop(0)

    def look(self, app: App, folder: Path) -> tuple[list[tuple[str, str]], Looked]:
        return [], Looked()

    def find(
        self, names: Sequence[str], *, host=None, substitutes=None, stand_ins: StandIns
    ) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
        self._begin("find images")
        had = [name for name in names if name not in self.out_of_reach]
        missing = [Misconfigured(f"base image {name}", "out of reach") for name in names if name in self.out_of_reach]
        present = [self.stand_ins.get(name, BaseImage(asked=name, used=name, substitute=False)) for name in had]
        return tuple(present), tuple(missing)

    def bases_of(self, source: Path, image: Image, key: str) -> list[str]:
        return self.bases.get(key, [])

    def build(self, request: BuildRequest, tell: Tell) -> BuiltImage:
        self._begin(f"build {request.name}")
        files = sorted(path for path in request.source.rglob("*") if path.is_file())
        content = b"".join(path.read_bytes() for path in files)
        digest = f"sha256:{hashlib.sha256(request.name.encode() + content).hexdigest()}"
        ref = ImageRef(repository=request.repository, digest=digest)
        return BuiltImage(name=request.name, ref=ref, builder="in memory")

    def prepare(self, policy: ScanPolicy, run: str) -> VulnerabilityDatabase:
        self._begin("prepare scanner")
        now = datetime.now(UTC)
        if self.database_status == "missing":
            return VulnerabilityDatabase(checked_at=now, problem="no such host")
        return VulnerabilityDatabase(checked_at=now, volume="trivy", built=now)

    def last_known(self, policy: ScanPolicy) -> VulnerabilityDatabase | None:
        return None

    def scan(self, name: str, ref: ImageRef, policy: ScanPolicy, run: str) -> ScanReport:
        self._begin(f"scan {name}")
        now = datetime.now(UTC)
        fields = {"image": name, "ref": ref, "findings": self.findings.get(name, ()), "scanned_at": now, "scanner": "0"}
        built = None if self.database_status == "missing" else now
        return ScanReport.model_validate(
            fields | {"packages": 3, "database_built": built, "database_status": self.database_status}
        )

    def sbom(self, ref: ImageRef, run: str) -> bytes:
        self._begin("sbom")
        return b'{"bomFormat": "CycloneDX"}'

    def run_cell(self, app, cell, images, *, log: Path, report_dir: Path, secrets=None, **_) -> CellResult:
        self.secrets[cell.suite] = _revealed(secrets)
        self._begin(f"test {cell.name}")
        report_dir.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{cell.name} with {sorted(images)}\n")
        outcome = self.outcomes.get(cell.suite, "passed")
        failing = ("adds up",) if outcome == "failed" else ()
        fields = {"cell": cell, "outcome": outcome, "tests": 2, "failing": failing}
        return CellResult.model_validate(fields | {"remarks": self.remarks.get(cell.suite, ())})

    def run_job(self, environment: str, job: Job) -> Program:
        """End a migration, a check's command or a suite beside an environment."""
        if job.name == "migrate":
            self.secrets[f"migrate {environment}"] = _revealed(job.secrets)
            self._begin(f"migrate {environment}")
            self.databases.setdefault(environment, []).append(job.image)
            return Program()
        address = job.env["BASE_URL"]
        if job.name == "check":
            self._begin(f"command {job.image} {address}")
            complaint = self.complaints.get(job.image, "")
            return Program(exit_code=22 if complaint else 0, prints=complaint or "asked\n")
        suite, name = job.log.parts[-3:-1]  # the environment and the suite of an acceptance, the suite of a check
        accepted = suite == environment
        suite = name if accepted else suite
        self.secrets[suite] = _revealed(job.secrets)
        self._begin(f"accept {environment}" if accepted else f"{suite} {address}")
        failed = self.outcomes.get(suite) == "failed"
        told = f"told {sorted(job.revealed().values())}\n"  # what a place keeps of it must not hold the secrets
        return Program(exit_code=1 if failed else 0, prints=f"{told}adds up failed\n" if failed else told)

    def differences(self, environment: str) -> tuple[str, ...]:
        """Return what a restored backup of the environment lacks."""
        self._begin(f"restore {environment}")
        return ("table orders: 3 in the database, 2 in the copy",) if environment in self.damaged else ()

    def behaviour(self, app: str, environment: str) -> Behaviour:
        """Return how an environment in memory behaves, with its jobs and backups as they are here."""
        return Behaviour(run=partial(self.run_job, environment), differences=partial(self.differences, environment))

    def publish(self, release: Release, registry: str, run: str) -> ImageRef:
        self._begin("publish")
        self.published.append(release.fingerprint)
        return ImageRef(repository=f"{registry}/{release.app}/release", digest=f"sha256:{'0' * 64}")

    def remove_run(self, run: str) -> None:
        self._begin("remove run")
        self.removed.append(run)

    def sweep(self, living: set[str] | None = None) -> list[Orphan]:
        self._begin("sweep")
        self.living = set(living or ())
        return []

    def environments(self, app: str) -> set[str]:
        return set()

    def belongings(self, app: str, environment: str) -> tuple[Belonging, ...]:
        return ()

    def remove(self, app: str, environment: str) -> None:
        self._begin(f"remove {environment}")

    def repositories(self, app: str) -> list[str]:
        return [name for name in self.images if name.startswith(f"{app}/")]

    def remove_images(self, app: str, registry: str) -> None:
        self._begin("remove images")
        self.images = [name for name in self.images if not name.startswith(f"{app}/")]

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of everything a platform builds, scans, tests and cleans up with."""
        services = Services(builder=self, scanner=self, testbeds=self, orphans=self, inventory=self)
        monkeypatch.setattr("delivery.opening.open_services", lambda: services)
        monkeypatch.setattr("delivery.memory.target.new_behaviour", self.behaviour)
        monkeypatch.setattr("tasks.report.report_html", DeliveryRecord.model_dump_json)  # pictures take a second


def _revealed(secrets) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}
