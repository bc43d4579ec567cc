"""What a platform uses of the Docker engine on its own machine, whatever its environments run on."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from delivery.docker.cells.rehearsal import rehearse
from delivery.docker.cells.testbed import run_cell
from delivery.docker.database.passwords import forget_password
from delivery.docker.engine import sweep
from delivery.docker.engine.client import connect
from delivery.docker.engine.hosts import known_hosts, on_each
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images import builder, looking, pushing, scanner
from delivery.docker.images.bases import find_bases
from delivery.docker.images.holding import let_go, let_go_of_the_dead
from delivery.docker.target import removal
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.belongings import Belonging
from delivery.ports.builder import BuildRequest, Looked
from delivery.ports.cells import CellResult
from delivery.ports.orphans import Orphan
from delivery.ports.registry import Registry
from delivery.ports.rehearsals import CodeVersion, RehearsalRequest, Rehearsed
from delivery.ports.scanner import VulnerabilityDatabase
from delivery.progress import Tell
from delivery.releases.release import BaseImage, BuiltImage, ImageRef, Release
from delivery.scanning.findings import ScanReport
from delivery.spec.app import App
from delivery.spec.images import Image
from delivery.spec.matrix import Cell
from delivery.spec.scan import ScanPolicy
from delivery.spec.stand_ins import StandIns


class DockerBuilder:
    """Builds with the machine's engine and pushes to the registry."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self.home, self.registry = home, registry

    def look(self, app: App, folder: Path) -> tuple[list[tuple[str, str]], Looked]:
        """Ask the engine, then the registries, for every image that the file and its Dockerfiles name."""
        problems, bases = looking.look_at_builds(app, folder)
        return problems, looking.look_for_images_of(app, bases)

    def find(
        self,
        names: Sequence[str],
        *,
        host: str | None = None,
        substitutes: Mapping[str, str] = {},
        stand_ins: StandIns = "when-missing",
    ) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
        """Return what the engine at `host` has, gets or makes for each name."""
        return find_bases(names, home=self.home, host=host, substitutes=substitutes, stand_ins=stand_ins)

    def bases_of(self, source: Path, image: Image, key: str) -> list[str]:
        """Return the images that the Dockerfile of `image` starts from on this engine's platform."""
        return builder.bases_of(source, image, key)

    def build(self, request: BuildRequest, tell: Tell) -> BuiltImage:
        """Build with whichever program for it the machine has."""
        if not self.registry.pushes:
            return builder.build_image(request, repository=request.repository, home=self.home, tell=tell, pushes=False)
        self.registry.prepare(request.repository)
        repository, keeps = self.registry.repository(request.repository), self.registry.keeps_tags
        return builder.build_image(request, repository=repository, home=self.home, tell=tell, keeps_tags=keeps)

    def publish(self, release: Release, run: str) -> ImageRef:
        """Push the release's manifest as an image of one file."""
        return pushing.publish_release(release, registry=self.registry, home=self.home, run_id=run)


class TrivyScanner:
    """Scans with Trivy in a container."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self.home, self.registry = home, registry

    def prepare(self, policy: ScanPolicy, run: str) -> VulnerabilityDatabase:
        """Bring up Trivy's image and its database."""
        return scanner.prepare(policy, self.home, run_id=run)

    def last_known(self, policy: ScanPolicy) -> VulnerabilityDatabase | None:
        """Return what was noted of the database, without the engine."""
        return scanner.last_known(policy, self.home)

    def scan(self, name: str, ref: ImageRef, policy: ScanPolicy, run: str) -> ScanReport:
        """Scan an image by digest."""
        return scanner.scan(name, ref, policy, self.home, registry=self.registry, run_id=run)

    def sbom(self, ref: ImageRef, run: str) -> bytes:
        """Return the image's CycloneDX document."""
        return scanner.sbom(ref, self.home, registry=self.registry, run_id=run)


class DockerTestbeds:
    """Runs cells in containers, networks and volumes of their own."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self.home, self.registry = home, registry

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
        """Run one cell on this machine's engine."""
        return run_cell(
            app,
            cell,
            {name: self.registry.reference(ref) for name, ref in images.items()},
            source=source,
            home=self.home,
            run_id=run,
            log=log,
            report_dir=report_dir,
            secrets=secrets,
        )


class DockerRehearsals:
    """Rehearses in containers, networks and volumes of their own."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self.home, self.registry = home, registry

    def rehearse(self, asked: RehearsalRequest) -> Rehearsed:
        """Rehearse on this machine's engine."""

        def references(code: CodeVersion) -> dict[str, str]:
            return {name: self.registry.reference(ref) for name, ref in code.images.items()}

        return rehearse(asked, references, home=self.home)


class DockerOrphans:
    """Finds what runs left on the engine by the labels of the platform."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def find(self, living: Collection[str] | None = None) -> list[Orphan]:
        """Return containers, networks and volumes without a living owner."""
        return on_each(self.home, lambda host: sweep.find_orphans(self.home.identity, living=living, host=host))

    def sweep(self, living: Collection[str] | None = None) -> list[Orphan]:
        """Remove them, and the images that were held for their runs."""
        if living is not None:
            let_go_of_the_dead(self.home, living)
        return on_each(self.home, lambda host: sweep.sweep(self.home.identity, living=living, host=host))

    def remove_run(self, run: str) -> None:
        """Remove what carries the run's label, and what was held for it."""

        def remove(host: str | None) -> tuple[()]:
            sweep.remove_run(self.home.identity, run, host=host)
            return ()

        on_each(self.home, remove)
        let_go(self.home, run)


class DockerInventory:
    """Finds what applications have on the engine, and in the registry, by labels and names."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self.home, self.registry = home, registry

    def environments(self, app: str) -> set[str]:
        """Return the environments that anything is labelled with."""
        return set(on_each(self.home, lambda host: removal.find_environments(self.home, app, host)))

    def belongings(self, app: str, environment: str) -> tuple[Belonging, ...]:
        """Return containers, networks and volumes of the environment."""
        names = self._names(app, environment)
        return tuple(on_each(self.home, lambda host: removal.find_belongings(connect(host), names)))

    def remove(self, app: str, environment: str) -> None:
        """Remove containers, networks and volumes of the environment."""
        names = self._names(app, environment)

        def remove(host: str | None) -> tuple[()]:
            removal.remove_belongings(connect(host), names)
            return ()

        on_each(self.home, remove)
        forget_password(self.home, self._names(app, environment))

    def repositories(self, app: str) -> list[str]:
        """Return the folders of the registry's volume that are the application's."""
        return removal.find_repositories(self.home, app)

    def remove_images(self, app: str) -> None:
        """Remove them, and the application's images from the engine."""
        removal.remove_images(self.home, app, self.registry.address())
        for host in filter(None, known_hosts(self.home)):
            removal.remove_carried(app, host)

    def _names(self, app: str, environment: str) -> EnvironmentNames:
        return EnvironmentNames(self.home.identity, app, environment)
