"""A platform of its own with small applications that can be changed in seconds: a rollback needs no build."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker
import httpx

from bench.chaos_plan import STEPS
from bench.images import Images
from bench.place import free_port
from delivery.changes.archive import Archive, HistoryEntry
from delivery.changes.journal import Entry, Journal
from delivery.changes.lease import LeaseBook
from delivery.docker.engine.client import connect
from delivery.docker.images.registry import ensure_registry
from delivery.docker.target.docker_host import DockerHost
from delivery.errors import Rejected
from delivery.home import Home
from delivery.model import hash_of
from delivery.platform.engine import engine_version
from delivery.platform.orchestrator import Orchestrator
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.store import FolderStore
from delivery.releases.release import ImageRef, Release, Revision
from delivery.spec.app import App
from tests.support.signed_in import signed_in

HEADWAY = Path(sys.executable).parent / "headway"
ENVIRONMENT = "production"
UP_SECONDS = 300


@dataclass(frozen=True)
class Town:
    """One application in one place, and the two releases it goes to and fro between; each answers with its number."""

    app: App
    releases: tuple[Release, Release]
    port: int

    @property
    def name(self) -> str:
        """The application's name."""
        return self.app.app

    @property
    def instances(self) -> int:
        """How many instances a slot has."""
        return self.app.services["web"].instances

    def other(self, fingerprint: str) -> Release:
        """Return the release that `fingerprint` is not."""
        return next(release for release in self.releases if release.fingerprint != fingerprint)

    def answer_of(self, fingerprint: str) -> str:
        """Return what the release answers to `/`."""
        return str([release.fingerprint for release in self.releases].index(fingerprint) + 1)


class ChaosPlatform:
    """Server, worker and the places, used as a user would: by the command line and the server's interface."""

    def __init__(self, home: Home) -> None:
        self.home, self.prefect = home, Orchestrator(home)
        self.store, self.leases = FolderStore(home.store), LeaseBook(home.leases)
        self.towns: list[Town] = []
        self.images: Images | None = None
        self._settled = 0

    @cached_property
    def engine(self) -> docker.DockerClient:
        """The engine, which runs once the platform is up."""
        return connect()

    def headway(self, *arguments: str) -> str:
        """Run a command on this platform and return what it prints; Rejected when it fails."""
        ours = {"HEADWAY_HOME": str(self.home.root), "HEADWAY_SERVER_PORT": str(free_port())}
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "HEADWAY_"))}
        done = subprocess.run(
            [str(HEADWAY), *arguments], env=env | ours, capture_output=True, text=True, timeout=UP_SECONDS, check=False
        )
        if done.returncode:
            raise Rejected(f"headway {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def settle(self, places: int, **policy: Any) -> list[Town]:
        """Make `places` more applications live and return them; `policy` adds to their environment.

        They have two instances and one by turns.
        """
        self.images = self.images or Images(self.engine, f"{ensure_registry(self.home).address}/chaos/web", self.home)
        images = [self.images.reference("good", number) for number in (1, 2)]
        first, self._settled = self._settled + 1, self._settled + places
        return [
            self._settle(f"chaos-{number}", 1 + number % 2, images, policy)
            for number in range(first, self._settled + 1)
        ]

    def start_change(self, town: Town, release: Release) -> str:
        """Let the worker put `release` live, and return the run."""
        found = self.ask("GET", "/deployments/name/rollback/local")
        parameters = {"app": town.name, "release": release.fingerprint, "override": True}
        body = {"parameters": parameters, "name": f"chaos {town.name}", "state": {"type": "SCHEDULED"}}
        return str(self.ask("POST", f"/deployments/{found['id']}/create_flow_run", json=body)["id"])

    def cancel(self, run: str) -> None:
        """Ask a run to stop, as the UI does."""
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        self.ask("POST", f"/flow_runs/{run}/set_state", json=body)

    def run_state(self, run: str) -> tuple[str, str, str]:
        """Return type, name and message of a run's state; nothing when the server does not answer."""
        try:
            state = self.ask("GET", f"/flow_runs/{run}")["state"]
        except httpx.HTTPError:
            return "", "", "the server does not answer"
        return str(state["type"]), str(state["name"]), str(state["message"] or "")

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask the Prefect server."""
        with signed_in(self.prefect) as client:
            answer = client.request(method, path, **more)
        answer.raise_for_status()
        return answer.json()

    def _settle(self, name: str, instances: int, images: list[ImageRef], policy: dict[str, Any]) -> Town:
        app = describe(name, instances, free_port(), policy)
        releases = (_release(name, images[0], 1), _release(name, images[1], 2))
        target = app.environments[ENVIRONMENT].target
        assert target.kind == "docker"
        archive, journal = Archive(self.store), Journal(self.store, name, ENVIRONMENT)
        for release in reversed(releases):
            archive.keep_release(app, release)
            entry = HistoryEntry(at=datetime.now(UTC), run="settle", happening="released", release=release)
            archive.add_history(ENVIRONMENT, entry)
        lease = self.leases.take(name, ENVIRONMENT, holder="settle", reason="first release")
        settings = EnvironmentSettings(app=name, environment=ENVIRONMENT)
        host = DockerHost(app, app.environments[ENVIRONMENT], target, settings, sequence=lease.sequence, home=self.home)
        fields = {"app": name, "environment": ENVIRONMENT, "sequence": lease.sequence, "run": "settle"}
        verbs: dict[str, Callable[[], object]] = {
            "stage": lambda: host.stage(app, releases[0]),
            "shift": lambda: host.shift(releases[0], 100),
            "retire": lambda: host.retire(releases[0]),
        }
        with closing(host):
            for verb, effect in verbs.items():
                more = {"verb": verb, "release": releases[0]}
                journal.write(Entry.model_validate(fields | more | {"at": datetime.now(UTC), "stage": "intent"}))
                effect()
                journal.write(Entry.model_validate(fields | more | {"at": datetime.now(UTC), "stage": "done"}))
        self.leases.give_back(lease)
        assert target.port
        return Town(app, releases, target.port)


def describe(name: str, instances: int, port: int, policy: dict[str, Any]) -> App:
    """Return the description of an application whose releases go live in steps within seconds."""
    web = {"port": 8000, "health": "/healthz", "version": "/version", "instances": instances, "stop_seconds": 2}
    steps = [{"percent": percent, "hold_seconds": 1 if percent < 100 else 0} for percent in STEPS]
    # How good a verdict is, is measured elsewhere: these watches take their time and let the release pass.
    watch = {"seconds": 1, "longer_seconds": 0, "min_requests": 0, "when_inconclusive": "continue"}
    environment = {"target": {"kind": "docker", "port": port}, "shift": {"steps": steps}, "watch": watch}
    described = {"app": name, "images": {"web": {}}, "services": {"web": web}}
    return App.model_validate(described | {"environments": {ENVIRONMENT: environment | policy}})


@contextmanager
def chaos_platform(places: int, **policy: Any) -> Iterator[ChaosPlatform]:
    """Yield a platform that is up, with live places; it is removed with everything of it, however this ends."""
    with TemporaryDirectory(prefix="headway-chaos-") as folder:
        home, shared = Home(Path(folder).resolve() / "home"), Home.current().cache
        shared.mkdir(parents=True, exist_ok=True)
        home.root.mkdir()
        (home.root / "cache").symlink_to(shared, target_is_directory=True)
        platform = ChaosPlatform(home)
        try:
            platform.headway("up", "--json")
            platform.towns = platform.settle(places, **policy)
            yield platform
        finally:
            platform.headway("down", "--purge", "--yes")
            if engine_version():  # else it was this platform's own, and is down with it
                if platform.images:
                    platform.images.remove()
                platform.engine.close()


def as_json(path: Path) -> Any:
    """Return what a small file of the platform says, or none."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _release(app: str, image: ImageRef, number: int) -> Release:
    revision = Revision(sha=f"{number:040x}", tree=f"{number:040x}", subject=f"Answer {number}")
    return Release(
        app=app,
        revision=revision,
        images={"web": image},
        migrations_hash=hash_of("none"),
        configuration_hash=hash_of(number),
        created=datetime.now(UTC),
    )
