"""What a platform uses for every delivery, in this process: it builds, scans, tests and cleans up as it is told."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.memory.behaviour import environments_of
from delivery.memory.target import MemoryHost
from delivery.ports.belongings import Belonging
from delivery.ports.builder import BuildRequest, Looked
from delivery.ports.cells import CellResult
from delivery.ports.environment import Services
from delivery.ports.orphans import Orphan
from delivery.ports.rehearsals import RehearsalRequest, Rehearsed
from delivery.ports.scanner import VulnerabilityDatabase
from delivery.ports.settings import EnvironmentSettings
from delivery.progress import Tell
from delivery.releases.rehearsal import CodeOnSchema
from delivery.releases.release import BaseImage, BuiltImage, ImageRef, Release
from delivery.scanning.findings import Finding, ScanReport
from delivery.spec.app import App
from delivery.spec.images import Image
from delivery.spec.matrix import Cell
from delivery.spec.scan import ScanPolicy
from delivery.spec.stand_ins import StandIns


@dataclass(frozen=True)
class RunsThing:
    """A thing that a run made: `is_new` when that was just now, `expired` when its time is over."""

    name: str
    run: str
    is_new: bool = False
    expired: bool = False


@dataclass
class MemoryPlatform:
    """What a platform's services do and have done in this process; what is not told to be otherwise is good.

    `asked` is called with what is asked for, before anything is done: it may wait, or raise.
    """

    asked: Callable[[str], None] = field(default=lambda what: None)
    out_of_reach: set[str] = field(default_factory=set)
    stand_ins: dict[str, BaseImage] = field(default_factory=dict)
    bases: dict[str, list[str]] = field(default_factory=dict)
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    database_status: str = "fresh"
    outcomes: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    built: list[BuiltImage] = field(default_factory=list)
    manifests: dict[str, ImageRef] = field(default_factory=dict)  # `app/release:<fingerprint>` → the first one pushed
    images: list[str] = field(default_factory=list)  # the repositories of the registry
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)  # what each suite and each build was given
    rehearsal: Rehearsed | None = None  # what the next rehearsals show; none: that all is well
    rehearsed: list[RehearsalRequest] = field(default_factory=list)
    things: list[RunsThing] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # runs of which everything was removed
    living: set[str] = field(default_factory=set)  # the runs that the last sweep was told to spare

    def services(self) -> Services:
        """Return everything a platform uses."""
        return Services(
            builder=MemoryBuilder(self),
            scanner=MemoryScanner(self),
            testbeds=MemoryTestbeds(self),
            rehearsals=MemoryRehearsals(self),
            orphans=MemoryOrphans(self),
            inventory=MemoryInventory(self),
        )


class _Service:
    """One of a platform's services."""

    def __init__(self, platform: MemoryPlatform) -> None:
        self.platform = platform


class MemoryBuilder(_Service):
    """Has every image there is, and builds by reading the files."""

    def look(self, app: App, folder: Path) -> tuple[list[tuple[str, str]], Looked]:
        """Return that nothing is wrong."""
        return [], Looked()

    def find(
        self,
        names: Sequence[str],
        *,
        host: str | None = None,
        substitutes: Mapping[str, str] = {},
        stand_ins: StandIns = "when-missing",
    ) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
        """Return each name but those that are out of reach."""
        self.platform.asked("find images")
        missing = [name for name in names if name in self.platform.out_of_reach]
        present = [
            self.platform.stand_ins.get(name, BaseImage(asked=name, used=name, substitute=False))
            for name in names
            if name not in missing
        ]
        return tuple(present), tuple(Misconfigured(f"base image {name}", "out of reach") for name in missing)

    def bases_of(self, source: Path, image: Image, key: str) -> list[str]:
        """Return what was said of the key."""
        return self.platform.bases.get(key, [])

    def build(self, request: BuildRequest, tell: Tell) -> BuiltImage:
        """Return an image whose digest is that of its name and every file."""
        self.platform.asked(f"build {request.name}")
        given = {name: secret.get_secret_value() for name, secret in request.secrets.items()}
        self.platform.secrets[request.name] = given
        files = sorted(path for path in request.source.rglob("*") if path.is_file())
        content = b"".join(path.read_bytes() for path in files)
        ref = self._push(request.repository, request.name.encode() + content)
        image = BuiltImage(name=request.name, ref=ref, builder="in memory")
        self.platform.built.append(image)
        return image

    def publish(self, release: Release, run: str) -> ImageRef:
        """Keep the release's manifest, unless there is one already."""
        self.platform.asked("publish")
        ref = self._push(f"{release.app}/release", release.model_dump_json().encode())
        return self.platform.manifests.setdefault(f"{ref.repository}:{release.fingerprint}", ref)

    def _push(self, repository: str, content: bytes) -> ImageRef:
        if repository not in self.platform.images:
            self.platform.images.append(repository)
        return ImageRef(repository=repository, digest=f"sha256:{hashlib.sha256(content).hexdigest()}")


class MemoryScanner(_Service):
    """Finds what images are said to have."""

    def prepare(self, policy: ScanPolicy, run: str) -> VulnerabilityDatabase:
        """Return a database that is new, or that could not be had."""
        self.platform.asked("prepare scanner")
        now = datetime.now(UTC)
        if self.platform.database_status == "missing":
            return VulnerabilityDatabase(checked_at=now, problem="no such host")
        return VulnerabilityDatabase(checked_at=now, volume="trivy", built=now)

    def last_known(self, policy: ScanPolicy) -> VulnerabilityDatabase | None:
        """Return nothing: no note is made of it."""
        return None

    def scan(self, name: str, ref: ImageRef, policy: ScanPolicy, run: str) -> ScanReport:
        """Return the findings that the image is said to have."""
        self.platform.asked(f"scan {name}")
        now, status = datetime.now(UTC), self.platform.database_status
        findings = self.platform.findings.get(name, ())
        fields = {"image": name, "ref": ref, "findings": findings, "scanned_at": now, "scanner": "0", "packages": 3}
        built = None if status == "missing" else now
        return ScanReport.model_validate(fields | {"database_built": built, "database_status": status})

    def sbom(self, ref: ImageRef, run: str) -> bytes:
        """Return a document without components."""
        self.platform.asked("sbom")
        return b'{"bomFormat": "CycloneDX"}'


class MemoryTestbeds(_Service):
    """Runs no cell: each comes to what its suite is said to."""

    def run_cell(
        self,
        app: App,
        cell: Cell,
        images: Mapping[str, ImageRef],
        *,
        source: Path,
        run: str,
        log: Path,
        report_dir: Path,
        secrets: Mapping[str, SecretStr],
    ) -> CellResult:
        """Return what the suite is said to come to, and remember what it was given."""
        given = {name: secret.get_secret_value() for name, secret in secrets.items()}
        self.platform.secrets[cell.suite] = given
        self.platform.asked(f"test {cell.name}")
        report_dir.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{cell.name} with {sorted(images)}\n")
        outcome = self.platform.outcomes.get(cell.suite, "passed")
        failing = ("adds up",) if outcome == "failed" else ()
        fields = {"cell": cell, "outcome": outcome, "tests": 2, "failing": failing}
        return CellResult.model_validate(fields | {"remarks": self.platform.remarks.get(cell.suite, ())})


class MemoryRehearsals(_Service):
    """Runs no migration: each rehearsal shows what it is said to, and that all is well where nothing is said."""

    def rehearse(self, asked: RehearsalRequest) -> Rehearsed:
        """Return what was said of the newer version's migrations."""
        self.platform.asked("rehearse")
        self.platform.rehearsed.append(asked)
        told = self.platform.rehearsal
        if told is not None:
            return told
        return Rehearsed(cells=tuple(CodeOnSchema(code=code, on=on, outcome="passed") for code, on in asked.cells))


class MemoryOrphans(_Service):
    """Keeps account of what runs made; an environment's own is never among it."""

    def find(self, living: Collection[str] | None = None) -> list[Orphan]:
        """Return the things without a living owner; what was made just now is spared, its run may live since."""
        found = list[Orphan]()
        for one in self.platform.things:
            is_dead = living is not None and one.run not in living and not one.is_new
            why = "expired" if one.expired else f"run {one.run} does not live" if is_dead else ""
            if why:
                found.append(Orphan(kind="thing", id=one.name, name=one.name, run=one.run, role="", why=why))
        return found

    def sweep(self, living: Collection[str] | None = None) -> list[Orphan]:
        """Forget them."""
        self.platform.asked("sweep")
        self.platform.living, found = set(living or ()), self.find(living)
        gone = {one.id for one in found}
        self.platform.things = [one for one in self.platform.things if one.name not in gone]
        return found

    def remove_run(self, run: str) -> None:
        """Forget what the run made."""
        self.platform.asked("remove run")
        self.platform.removed.append(run)
        self.platform.things = [one for one in self.platform.things if one.run != run]


class MemoryInventory(_Service):
    """Finds the environments that this process knows, and the repositories that were pushed to."""

    def environments(self, app: str) -> set[str]:
        """Return those in which anything stands."""
        return {name for name in environments_of(app) if self.belongings(app, name)}

    def belongings(self, app: str, environment: str) -> tuple[Belonging, ...]:
        """Return what stands in it."""
        return self._host(app, environment).belongings() if environment in environments_of(app) else ()

    def remove(self, app: str, environment: str) -> None:
        """Empty it."""
        self.platform.asked(f"remove {environment}")
        if environment in environments_of(app):
            self._host(app, environment).clear()

    def repositories(self, app: str) -> list[str]:
        """Return the repositories that begin with the application's name."""
        return [name for name in self.platform.images if name.startswith(f"{app}/")]

    def remove_images(self, app: str) -> None:
        """Forget them."""
        self.platform.asked("remove images")
        self.platform.images = [name for name in self.platform.images if not name.startswith(f"{app}/")]

    def _host(self, app: str, environment: str) -> MemoryHost:
        return MemoryHost(EnvironmentSettings(app=app, environment=environment), sequence=0)
