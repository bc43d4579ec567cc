"""The scenarios, each on a platform that is made for it and removed with everything of it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import docker
import yaml

from bench.figures import Figures, measure
from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.errors import Rejected
from delivery.home import Home
from delivery.platform.engine import engine_version
from delivery.ports.store import FolderStore
from delivery.report.record import DeliveryRecord
from delivery.spec.shift import ShiftPlan, as_plan
from tests.end_to_end.project import Project

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 1800
CORES = os.cpu_count() or 1
STAGE = re.compile(r"^FROM .*$", re.MULTILINE)
RUN = re.compile(r"/flow-run/([0-9a-f-]{36})$", re.MULTILINE)
SET_UP = re.compile(r": set-up (?:(\d+) min )?([\d.]+) s, delivery")


class Bench:
    """The task manager in a repository of its own, and the platform that delivers it."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.root, self.say = root, say
        self.app = Project(root / "home", root / "taskmanager")
        self.app.copy_example("taskmanager")
        self.is_delivered = False

    def cold(self) -> Figures:
        """Deliver with nothing built: every layer is new, the registry is empty."""
        for dockerfile in self.app.folder.rglob("Dockerfile"):
            dockerfile.write_text(with_nonce(dockerfile.read_text(), uuid4().hex))
        self.app.commit("Use no layer that was built before")
        return self._deliver("cold", "delivered")

    def no_change(self) -> Figures:
        """Deliver the same commit again."""
        self._deliver_first()
        return self._deliver("no-change", "unchanged")

    def one_service(self) -> Figures:
        """Deliver after a change in the frontend only."""
        self._deliver_first()
        self.app.edit("frontend/public/index.html", "<h1>Tasks</h1>", f"<h1>Tasks {uuid4().hex[:6]}</h1>")
        self.app.commit("Change the frontend")
        return self._deliver("one-service", "delivered")

    def no_op(self) -> Figures:
        """Deliver the same shape with steps that do nothing, beside the server and the worker."""
        project = Project(self.app.home, self.root / "noop", self.app.server_port)
        project.copy_example("taskmanager")
        description = project.folder / "headway.yaml"
        description.write_text(yaml.safe_dump(without_waiting(yaml.safe_load(description.read_text()))))
        project.commit("Run in memory")
        up = project.headway("up", timeout=TIMEOUT_SECONDS)
        if up.returncode:
            raise Rejected(f"headway up: {up.stderr[-2000:]}")
        argv = [sys.executable, "-m", "bench.noop", str(project.folder)]
        done = subprocess.run(argv, cwd=ROOT, env=project.env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        if done.returncode:
            raise Rejected(f"no-op: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        record = read_record(project.home, found["run"])
        return measure("no-op", record, began=found["began"], ended=found["ended"], set_up=0, cores=CORES)

    def _deliver_first(self) -> None:
        if not self.is_delivered:
            self.say("delivering once before, not measured …")
            self._deliver("before", "delivered")

    def _deliver(self, scenario: str, outcome: str) -> Figures:
        began = time.time()
        os.environ["HEADWAY_STARTED"] = str(began)  # the start of the interpreter is set-up as well
        done = self.app.headway("run", timeout=TIMEOUT_SECONDS)
        ended = time.time()
        if done.returncode:
            raise Rejected(f"{scenario}: exit code {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        run, set_up = read_ending(done.stdout)
        record = read_record(self.app.home, run)
        if record.outcome != outcome:
            raise Rejected(f"{scenario}: the run ended {record.outcome}")
        self.is_delivered = True
        return measure(scenario, record, began=began, ended=ended, set_up=set_up, cores=CORES)


SCENARIOS: dict[str, Callable[[Bench], Figures]] = {
    "cold": Bench.cold,
    "no-change": Bench.no_change,
    "one-service": Bench.one_service,
    "no-op": Bench.no_op,
}


@contextmanager
def new_bench(say: Callable[[str], None]) -> Iterator[Bench]:
    """Yield a platform that shares only the downloads of base images with others; remove it, however this ends."""
    with TemporaryDirectory(prefix="headway-bench-") as folder:
        shared, home = Home.current().cache, Home(Path(folder).resolve() / "home")
        shared.mkdir(parents=True, exist_ok=True)
        home.root.mkdir()
        (home.root / "cache").symlink_to(shared, target_is_directory=True)
        bench, before = Bench(home.root.parent, say), _image_tags()
        try:
            yield bench
        finally:
            with _uninterrupted():
                say("removing the platform …")
                _remove(bench, home, before)


def read_ending(printed: str) -> tuple[str, float]:
    """Return the run and the seconds of set-up from what `headway run` prints at its end."""
    run, set_up = RUN.search(printed), SET_UP.search(printed)
    if not run or not set_up:
        raise Rejected(f"`headway run` did not say which run it was, or how long it took:\n{printed[-3000:]}")
    return run[1], 60 * int(set_up[1] or 0) + float(set_up[2])


def read_record(home: Path, run: str) -> DeliveryRecord:
    """Return what a run on the platform in `home` left."""
    store = FolderStore(Home(home).store)
    key = [key for key in store.keys(f"runs/{run}") if key.startswith(f"runs/{run}/record-")][-1]
    return DeliveryRecord.model_validate_json(store.get(key))


def without_waiting(description: dict[str, Any]) -> dict[str, Any]:
    """Return a headway.yaml of the same shape whose releases run in memory, and which watches for no time."""
    environments = {}
    for name, environment in description["environments"].items():
        changed = {**environment, "target": {"kind": "memory"}, "watch": {"seconds": 0}}
        if "shift" in environment:
            said = environment["shift"]
            plan = ShiftPlan.model_validate(said) if isinstance(said, dict) else as_plan(said)
            changed["shift"] = {"steps": [{"percent": one.percent, "hold_seconds": 0} for one in plan.steps]}
        environments[name] = changed
    # No image runs anything by itself in memory, and no runner leaves a report there: the exit code alone counts.
    suites = {
        name: {key: value for key, value in suite.items() if key != "tool"} | {"command": ["true"]}
        for name, suite in description.get("suites", {}).items()
    }
    return {**description, "app": "noop", "suites": suites, "environments": environments}


def with_nonce(dockerfile: str, nonce: str) -> str:
    """Return the Dockerfile with a new first layer in every stage."""
    return STAGE.sub(rf"\g<0>\nRUN echo {nonce} > /tmp/nonce", dockerfile)


def _remove(bench: Bench, home: Home, images_before: set[str]) -> None:
    registry = _registry_address(home)
    down = bench.app.headway("down", "--purge", "--yes")
    if down.returncode:
        bench.say(f"headway down --purge: {down.stderr}")
    if registry:
        client = docker.from_env()
        for tag in _image_tags() - images_before:
            if tag.startswith(f"{registry}/"):
                with suppress(docker.errors.APIError):
                    client.images.remove(tag)
        client.close()


def _registry_address(home: Home) -> str | None:
    """Return the address that the images of this platform are named by, when it has a registry."""
    client = docker.from_env()
    try:
        labels = [f"{LABEL_PLATFORM}={home.identity}", f"{LABEL_ROLE}=registry"]
        found = client.containers.list(all=True, filters={"label": labels})
        ports = found[0].attrs["HostConfig"]["PortBindings"] if found else {}
        return next((f"127.0.0.1:{binding[0]['HostPort']}" for binding in ports.values()), None)
    finally:
        client.close()


def _image_tags() -> set[str]:
    if engine_version() is None:
        return set()
    client = docker.from_env()
    try:
        return {tag for image in client.images.list() for tag in image.tags}
    finally:
        client.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let nobody interrupt the body, nor the programs it starts."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
