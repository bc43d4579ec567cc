"""Stand-ins for what a delivery does in containers: they keep, build, scan, test and restore, only not for real."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery.docker.database.database import MigrationResult
from delivery.docker.images.scanner import Database
from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.ports.backups import BackupProof
from delivery.releases.release import BaseImage, BuiltImage, ImageRef
from delivery.report.record import DeliveryRecord
from delivery.scanning.findings import Finding, ScanReport
from delivery.spec.images import Image
from delivery.spec.matrix import cells_of
from delivery.spec.stand_ins import StandIns
from delivery.testing.results import CellResult

CRITICAL = Finding(
    kind="vulnerability", id="CVE-2030-1", severity="CRITICAL", package="libweb", version="1.0", fixed_version="1.1"
)


class Access(Model):
    """How a database is reached, as far as anybody asks here."""

    name: str


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
    repositories: list[str] = field(default_factory=list)
    living: set[str] = field(default_factory=set)

    def fail(self, what: str, *errors: BaseException) -> None:
        """Let the next calls of `what` fail, one error for each."""
        self.troubles[what] = list(errors)

    def _begin(self, what: str) -> None:
        self.calls[what] += 1
        self.during.get(what, lambda: None)()
        if self.troubles.get(what):
            raise self.troubles[what].pop(0)

    def find_bases(
        self, asked: Iterable[str], *, cache: Path, stand_ins: StandIns, **_: object
    ) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
        self._begin("find images")
        had = [name for name in asked if name not in self.out_of_reach]
        missing = [Misconfigured(f"base image {name}", "out of reach") for name in asked if name in self.out_of_reach]
        present = [self.stand_ins.get(name, BaseImage(asked=name, used=name, substitute=False)) for name in had]
        return tuple(present), tuple(missing)

    def bases_of(self, source: Path, image: Image, key: str) -> list[str]:
        return self.bases.get(key, [])

    def build_image(self, source: Path, name, image, revision, *, repository, **_) -> BuiltImage:
        self._begin(f"build {name}")
        content = b"".join(path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file())
        digest = f"sha256:{hashlib.sha256(name.encode() + content).hexdigest()}"
        ref = ImageRef(repository=repository, digest=digest)
        return BuiltImage(name=name, ref=ref, builder="in memory")

    def build_suite(self, source, suite, image, revision, **more) -> BuiltImage:
        return self.build_image(source, f"suite-{suite}", image, revision, **more)

    def prepare(self, policy, home, *, run_id: str) -> Database:
        self._begin("prepare scanner")
        now = datetime.now(UTC)
        if self.database_status == "missing":
            return Database(checked_at=now, problem="no such host")
        return Database(checked_at=now, volume="trivy", built=now)

    def scan(self, name, ref, policy, home, *, run_id: str) -> ScanReport:
        self._begin(f"scan {name}")
        now = datetime.now(UTC)
        fields = {"image": name, "ref": ref, "findings": self.findings.get(name, ()), "scanned_at": now, "scanner": "0"}
        built = None if self.database_status == "missing" else now
        return ScanReport.model_validate(
            fields | {"packages": 3, "database_built": built, "database_status": self.database_status}
        )

    def sbom(self, ref, home, *, run_id: str) -> bytes:
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

    def run_acceptance(self, app, environment, suite, images, *, base_url=None, **more) -> CellResult:
        self._begin(f"accept {environment}" if base_url is None else f"{suite} {base_url}")
        return self.run_cell(app, cells_of(suite, app.suites[suite])[0], images, **more)

    def run_command(self, check, names, *, image: str, base_url: str, log: Path, **_) -> str:
        self._begin(f"command {image} {base_url}")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("asked\n")
        return self.complaints.get(check.image, "")

    def publish_release(self, release, *, registry: str, **_) -> ImageRef:
        self._begin("publish")
        self.published.append(release.fingerprint)
        return ImageRef(repository=f"{registry}/{release.app}/release", digest=f"sha256:{'0' * 64}")

    def find_database(self, names, *, host) -> Access | None:
        self._begin("find database")
        return Access(name=names.environment) if names.environment in self.databases else None

    def ensure_database(self, database, names, *, image: str, host) -> Access:
        self._begin(f"start database {names.environment}")
        self.databases.setdefault(names.environment, [])
        return Access(name=names.environment)

    def migrate(self, database, names, access, ref, *, run_id, log, host, secrets=None) -> MigrationResult:
        self.secrets[f"migrate {names.environment}"] = _revealed(secrets)
        self._begin(f"migrate {names.environment}")
        self.databases[names.environment].append(ref)
        return MigrationResult(seconds=0.1)

    def prove_backup(self, database, names, access, *, image, home, run_id, host) -> BackupProof:
        self._begin(f"restore {names.environment}")
        differences = ("table orders: 3 in the database, 2 in the copy",) if names.environment in self.damaged else ()
        fields = {"tables": 2, "rows": 3, "size_bytes": 100, "rpo_seconds": 0.1, "rto_seconds": 0.2}
        outcome = "fail" if differences else "pass"
        return BackupProof.model_validate(fields | {"outcome": outcome, "differences": differences})

    def remove_run(self, platform: str, run: str) -> None:
        self._begin("remove run")
        self.removed.append(run)

    def sweep(self, platform: str, *, living: set[str]) -> list[SimpleNamespace]:
        self._begin("sweep")
        self.living = set(living)
        return []

    def find_environments(self, home, app: str, host=None) -> set[str]:
        return set()

    def find_repositories(self, home, app: str) -> list[str]:
        return [name for name in self.repositories if name.startswith(f"{app}/")]

    def remove_images(self, home, app: str, address: str) -> None:
        self._begin("remove images")
        self.repositories = [name for name in self.repositories if not name.startswith(f"{app}/")]

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the engine's place in everything the tasks use of it."""
        for where, names in {
            "delivery.docker.images.builder": ("build_image", "build_suite"),
            "delivery.docker.images.scanner": ("prepare", "scan", "sbom"),
            "delivery.docker.cells.testbed": ("run_cell", "run_acceptance"),
            "delivery.docker.cells.checking": ("run_command",),
            "delivery.docker.images.pushing": ("publish_release",),
            "delivery.docker.database.database": ("find_database", "ensure_database", "migrate"),
            "delivery.docker.database.backup": ("prove_backup",),
            "delivery.docker.target.removal": ("find_environments", "find_repositories", "remove_images"),
            "tasks.cleanup": ("remove_run",),
            "tasks.recover": ("sweep",),
        }.items():
            for name in names:
                monkeypatch.setattr(f"{where}.{name}", getattr(self, name))
        monkeypatch.setattr("tasks.database.resolve_base", _present)
        monkeypatch.setattr("tasks.images.find_bases", self.find_bases)
        monkeypatch.setattr("tasks.images.bases_of", self.bases_of)
        monkeypatch.setattr("tasks.report.report_html", DeliveryRecord.model_dump_json)  # pictures take a second


def _revealed(secrets) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in (secrets or {}).items()}


def _present(asked: str, *, cache: Path, host: str | None, stand_ins: StandIns) -> BaseImage:
    return BaseImage(asked=asked, used=asked, substitute=False)
