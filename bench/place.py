"""A platform of its own with one application of two instances, into which the real flow puts releases."""

import asyncio
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from docker.models.containers import Container

from bench.ending import Ending, read_steps
from bench.images import Images
from bench.weights import Weights, watched
from cli.session import orchestrator
from delivery.changes.ledger import LABEL_APP
from delivery.docker.engine.client import connect
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.registry import ensure_registry
from delivery.docker.target.instances import Instance, list_instances
from delivery.docker.target.router import find_router
from delivery.errors import HeadwayError, Misconfigured
from delivery.home import Home
from delivery.platform.shutdown import purge_platform
from delivery.ports.store import FolderStore
from delivery.releases.order import Built, Order
from delivery.releases.release import Release, Revision
from delivery.spec.app import App

ENVIRONMENT = "production"
SERVICE = "web"
INSTANCES = 2
STEPS = ((10, 2.0), (50, 3.0), (100, 0.0))
WATCH_SECONDS = 5.0
START_SECONDS = 8
LOGGING = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # releases are withdrawn on purpose
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FLOW_RUNS_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_TASK_RUNS_LEVEL": "CRITICAL",
}


def describe() -> App:
    """Return the application and how it is released: three steps, each watched."""
    service = {"port": 8000, "health": "/healthz", "version": "/version", "instances": INSTANCES}
    steps = [{"percent": percent, "hold_seconds": hold} for percent, hold in STEPS]
    return App.model_validate(
        {
            "app": "shop",
            "images": {SERVICE: {}},
            "services": {SERVICE: service | {"start_seconds": START_SECONDS, "stop_seconds": 10}},
            "environments": {ENVIRONMENT: {"shift": {"steps": steps}, "watch": {"seconds": WATCH_SECONDS}}},
        }
    )


class Site:
    """The environment as its users see it, and as whoever releases into it does."""

    def __init__(self, home: Home, images: Images, loop: asyncio.Runner) -> None:
        self.home, self.images, self.app, self._loop = home, images, describe(), loop
        self.names = EnvironmentNames(home.identity, self.app.app, ENVIRONMENT)
        self._made = 0

    def release(self, kind: str, number: int) -> Release:
        """Return a release that was never released before; its image may have been."""
        self._made += 1
        return Release(
            app=self.app.app,
            revision=Revision(sha=f"{self._made:040x}", tree=f"{self._made:040x}", subject=f"{kind} {number}"),
            images={SERVICE: self.images.reference(kind, number)},
            migrations_hash="none",
            configuration_hash=f"{self._made}",
            created=datetime.now(UTC),
        )

    def put_live(self, release: Release) -> Ending:
        """Carry the phase of the delivery that puts a release live, in this process, and return how it ended."""
        run, began = f"bench-{self._made}", time.time()
        try:
            self._loop.run(self._carry(run, release))
            error: Exception | None = None
        except Exception as problem:  # also what should not happen is an ending, and is told as such
            error = problem
            if not isinstance(problem, HeadwayError):
                traceback.print_exception(problem)
        steps = read_steps(FolderStore(self.home.store), run)
        return Ending.of(error, began=began, ended=time.time(), steps=steps)

    async def _carry(self, run: str, release: Release) -> None:
        from flows.release import put_live
        from tasks.step import recorded

        fields: dict[str, Any] = {"run": run, "repository": "shop", "folder": "."}
        fields |= {"app": self.app, "revision": release.revision, "environment": ENVIRONMENT}
        with recorded(run):
            await put_live(Order.model_validate(fields), Built(images=()), release, ENVIRONMENT)

    @property
    def url(self) -> str:
        """Where the router listens."""
        return f"http://127.0.0.1:{self._router().port}"

    def live_colour(self) -> str:
        """Return the slot whose release answers now, by the router's own header."""
        return httpx.get(f"{self.url}/version").headers["x-headway-instance"].partition("-")[0]

    def weights(self) -> AbstractContextManager[Weights]:
        """Return the weights over time, for as long as its body runs."""
        return watched(self._router().container, SERVICE)

    def instances(self, release: Release) -> list[Instance]:
        """Return the instances of one release."""
        found = list_instances(connect(), self.names)
        return [one for one in found if one.release.fingerprint == release.fingerprint]

    def containers(self, release: Release) -> list[Container]:
        """Return the containers of one release."""
        return [one.container for one in self.instances(release)]

    def things(self) -> set[str]:
        """Return the names of all containers and networks of the application."""
        client, labelled = connect(), {"label": [f"{LABEL_APP}={self.app.app}"]}
        entries = client.api.containers(all=True, filters=labelled)
        networks = client.api.networks(filters=labelled)
        own = f"-{self.home.identity}-"
        names = [*(entry["Names"][0] for entry in entries), *(network["Name"] for network in networks)]
        return {name for name in names if own in name}

    def _router(self) -> Any:
        router = find_router(connect(), self.names)
        if router is None:
            raise Misconfigured("the environment of the measurement", "has no router")
        return router


@contextmanager
def new_site(say: Callable[[str], None]) -> Iterator[Site]:
    """Yield a platform with server, registry and blocks, on which nothing was released; remove it, however this ends.

    Only the downloads of base images are shared with other platforms.
    """
    shared = Home.current().cache
    shared.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="headway-bench-"))
        home = Home(Path(folder).resolve() / "home")
        home.root.mkdir()
        (home.root / "cache").symlink_to(shared, target_is_directory=True)
        os.environ |= {"HEADWAY_HOME": str(home.root), "HEADWAY_SERVER_PORT": "0", **LOGGING}
        say("bringing the platform up …")
        prefect = orchestrator()  # sets the environment before anything imports Prefect
        stack.callback(purge_platform, home)
        stack.callback(say, "removing the platform …")
        prefect.start_server()
        registry = ensure_registry(home, preferred_port=free_port())
        from blocks.registration import register_blocks

        register_blocks(str(home.store), registry.address, str(home.results))
        images = Images(connect(), f"{registry.address}/shop/web", home)
        stack.callback(images.remove)
        yield Site(home, images, stack.enter_context(asyncio.Runner()))


def free_port() -> int:
    """Return a port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
