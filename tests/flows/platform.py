"""A platform in a folder: its project, its runs, and what they left."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import yaml
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.flow_engine import run_flow
from prefect.states import AwaitingRetry

from blocks.artifact_store import current_store
from delivery.changes.archive import Archive
from delivery.changes.journal import Journal
from delivery.changes.lease import LeaseRules
from delivery.changes.processes import nobody
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.memory.behaviour import Behaviour, memory_state
from delivery.memory.target import MemoryHost
from delivery.platform.local_aws import variables
from delivery.ports.settings import EnvironmentSettings
from delivery.programs import git
from delivery.releases.approval import Decision
from delivery.releases.order import Built, Order
from delivery.releases.release import Release
from delivery.report.record import DeliveryRecord
from delivery.spec.app import App
from delivery.spec.configuration import load_app
from delivery.state import open_leases
from flows import runs
from flows.deliver import deliver as delivery
from flows.release import put_live
from tests.delivery.values import make_release
from tests.flows.fakes import Containers
from tests.support.local_aws import Server

GIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]
DEADLINE_SECONDS = 120
MEMORY = {"kind": "memory"}
APP: dict[str, Any] = {
    "app": "shop",
    "images": {"web": {}},
    "services": {"web": {"port": 8000}},
    "suites": {"unit": {"image": "web"}},
    "environments": {"production": {"target": MEMORY}},
}


def artifacts(run: str) -> dict[str, str]:
    """Return what the UI shows beside a run and its phases, by key."""
    with get_client(sync_client=True) as client:
        below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(run)]))
        runs = [UUID(run), *(child.id for child in client.read_flow_runs(flow_run_filter=below))]
        wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=runs))
        return {str(found.key): str(found.data) for found in client.read_artifacts(artifact_filter=wanted)}


@dataclass
class Run:
    """A run that has ended, or waits."""

    id: str
    state: State[Any]

    @property
    def ended(self) -> tuple[str, str]:
        """State and message, as people see them."""
        return self.state.name or "", self.state.message or ""

    @property
    def error(self) -> object:
        """What the run raised, as the flow around it would get it."""
        return getattr(self.state.data, "result", self.state.data)


@dataclass
class Platform:
    """What a user of one machine has: a home, a project and the fake engine under it."""

    root: Path
    containers: Containers
    loop: asyncio.Runner

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def home(self) -> Home:
        return Home.current()

    @property
    def leases(self) -> LeaseRules:
        return self.leases_of()

    def leases_of(self, **more: Any) -> LeaseRules:
        """Return its leases, as those of another platform or with another end when `more` says so."""
        opened = open_leases(self.home)
        assert isinstance(opened, LeaseRules)
        opened.platform = nobody
        for name, value in more.items():
            setattr(opened, name, value)
        return opened

    def keep_in_s3(self, aws: Server, store_block: UUID) -> None:
        """Keep store and leases in a bucket from now on."""
        bucket = f"test-{uuid4().hex}"
        aws.client("s3").create_bucket(Bucket=bucket)
        os.environ.update(variables(aws.url), HEADWAY_STORE=f"s3://{bucket}/team")
        with get_client(sync_client=True) as client:
            client.update_block_document(store_block, BlockDocumentUpdate(data={"address": self.home.store_address}))
        current_store.cache_clear()

    @property
    def archive(self) -> Archive:
        return Archive(current_store())

    def describe(self, **more: Any) -> None:
        """Write headway.yaml with `more` in it, and commit."""
        self.project.mkdir(exist_ok=True)
        if not (self.project / ".git").exists():
            self.git("init", "-q", "-b", "main")
        (self.project / "Dockerfile").write_text("FROM scratch\n")
        (self.project / "headway.yaml").write_text(yaml.safe_dump(APP | more))
        self.commit("Start")

    def commit(self, subject: str) -> str:
        """Change a file, commit everything and return the revision."""
        (self.project / "change.txt").write_text(subject)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def git(self, *argv: str) -> str:
        done = subprocess.run([*GIT, *argv], cwd=self.project, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def deliver(self, **more: Any) -> Run:
        """Deliver what was committed last, and wait for the end."""
        return self.run(delivery, {"project": str(self.project)} | more)

    def run(self, flow: Flow[..., Any], parameters: dict[str, Any]) -> Run:
        """Run a flow as a worker does, and return how it ended."""
        return self.carry(flow, self.create(flow, parameters))

    def create(self, flow: Flow[..., Any], parameters: dict[str, Any]) -> str:
        """Create a run that somebody has to carry, and return its id."""
        with get_client(sync_client=True) as client:
            return str(client.create_flow_run(flow, parameters=parameters).id)

    def carry(self, flow: Flow[..., Any], run: str) -> Run:
        """Carry a created run to its end in this process."""
        return self.loop.run(self.carrying(flow, run))

    async def carrying(self, flow: Flow[..., Any], run: str) -> Run:
        async with get_client() as client:
            found = await client.read_flow_run(UUID(run))
        state = await run_flow(flow, flow_run=found, parameters=found.parameters, return_type="state")
        return Run(run, state)

    def create_deployed(self, flow: Flow[..., Any], parameters: dict[str, Any]) -> str:
        """Create a run of a deployment, which alone can be tried again in the UI."""
        with get_client(sync_client=True) as client:
            deployment = client.create_deployment(client.create_flow(flow), "local")
            return str(client.create_flow_run_from_deployment(deployment, parameters=parameters).id)

    def carry_again(self, flow: Flow[..., Any], run: str) -> Run:
        """Carry a run once more, as after the death of its process."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(run), AwaitingRetry(), force=True)
        return self.carry(flow, run)

    def retry(self, run: str) -> None:
        """Press Retry in the UI."""
        with get_client(sync_client=True) as client:
            result = client.set_flow_run_state(UUID(run), AwaitingRetry())
        assert result.status == SetStateStatus.ACCEPT, result.details

    def deliver_while(self, act: Callable[[str], object]) -> Run:
        """Deliver, and `act` on the run as soon as it waits for an answer."""
        return self.carry_while(self.create(delivery, {"project": str(self.project)}), act)

    def carry_while(self, run: str, act: Callable[[str], object], flow: Flow[..., Any] = delivery) -> Run:
        """Carry a run, and `act` on it as soon as it waits."""

        async def both() -> Run:
            carried = asyncio.create_task(self.carrying(flow, run))
            await asyncio.to_thread(self.until, lambda: carried.done() or runs.question(run))
            if not carried.done():
                await asyncio.to_thread(act, run)
            return await carried

        return self.loop.run(both())

    def until(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds; fail when it does not within a generous time."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    @property
    def app(self) -> App:
        return load_app(self.project / "headway.yaml")

    def release(self, number: int) -> Release:
        """Return a release that was built, tested and published before."""
        made = make_release(number)
        self.archive.keep_release(self.app, made)
        return made

    def order(self, run: str, environment: str = "production") -> Order:
        fields = {"repository": str(self.project), "folder": ".", "app": self.app}
        revision = git.resolve(self.project, "HEAD", ".")
        return Order.model_validate(fields | {"run": run, "revision": revision, "environment": environment})

    def putting_live(
        self, release: Release, run: str, decision: Decision | None = None, environment: str = "production"
    ) -> Coroutine[Any, Any, Any]:
        """Return the last phase of a delivery alone, to be awaited."""
        order = self.order(run, environment)
        return put_live(order, Built(images=()), release, environment, decision, return_state=True)

    def put_live(self, number: int, environment: str = "production") -> Run:
        """Put release `number` live and return how that ended."""
        run = f"run-{number}"
        return Run(run, self.loop.run(self.putting_live(self.release(number), run, None, environment)))

    def set_live(self, number: int) -> Release:
        """Make release `number` live behind everybody's back."""
        release, host = self.release(number), self.host(sequence=self.host().observe().sequence)
        host.stage(self.app, release)
        host.shift(release, 100)
        host.retire(release)
        return release

    def live(self, environment: str = "production") -> Release | None:
        """Return what takes the traffic of an environment."""
        slot = self.host(environment).observe().live
        return slot.release if slot else None

    def host(self, environment: str = "production", sequence: int = 0) -> MemoryHost:
        return MemoryHost(EnvironmentSettings(app="shop", environment=environment), sequence)

    def behaviour(self, environment: str = "production") -> Behaviour:
        return memory_state("shop", environment).behaviour

    def journal(self, environment: str = "production") -> Journal:
        return Journal(current_store(), "shop", environment)

    def happenings(self, environment: str = "production") -> list[str]:
        """Return what the environment's history says, oldest first."""
        return [entry.happening for entry in self.archive.history("shop", environment)]

    def record(self, run: str) -> DeliveryRecord:
        """Return the newest record of a run."""
        store = current_store()
        keys = [key for key in store.keys(f"runs/{run}") if "/record-" in key]
        if not keys:
            raise Misconfigured(f"record of run {run}", "there is none")
        return DeliveryRecord.model_validate_json(store.get(keys[-1]))
