"""A push on a real platform: it is live without anybody asking, also when server or worker are gone for a minute."""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from delivery.home import Home
from delivery.hooks.connections import Connections
from delivery.platform.orchestrator import Orchestrator
from delivery.platform.receiver_daemon import receiver_daemon
from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.hello import change, greeting, wait_for
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.support.platforms import free_port, new_home
from tests.support.senders import push, signed

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("hooks"),
    pytest.mark.timeout(HANGS_SECONDS),
]
GONE_SECONDS = 60.0
PUSHES = 5


class Pushed:
    """A platform that hears of pushes to a repository, and what became of them as its server tells it."""

    def __init__(self, project: Project) -> None:
        self.project, self.home, self.port = project, Home(project.home), free_port()
        self.api = f"http://127.0.0.1:{project.server_port}/api"

    def connect(self) -> None:
        for arguments in (["listen", "--port", str(self.port)], ["connect", "github", "--name", "hello"]):
            done = self.project.headway("hooks", *arguments)
            assert done.returncode == 0, done.stderr
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False).status_code == 200)

    def push(self, said: str) -> tuple[str, float]:
        """Commit and push a change; return the commit, and when that was."""
        before = self.project.git("rev-parse", "HEAD")
        change(self.project, said)
        sha = self.project.git("rev-parse", "HEAD")
        name = "/".join(self.project.folder.parts[-2:])
        content = push(before=before, after=sha, repository={"full_name": name})
        secret = Connections(self.home).secret("hello")
        assert secret
        body, headers = signed(secret.get_secret_value(), content)
        at = time.time()
        url = f"http://127.0.0.1:{self.port}/github/hello"
        answer = httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False)
        assert answer.status_code == 202, answer.text
        return sha, at

    def ask(self, path: str, **content: Any) -> list[dict[str, Any]]:
        user, _, password = self.home.server_key.read_text().strip().partition(":")
        with httpx.Client(base_url=self.api, auth=(user, password), timeout=60, trust_env=False) as client:
            token = client.get("csrf-token", params={"client": "test"}).json().get("token", "")
            headers = {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "test"}
            answer = client.post(path, json=content, headers=headers)
            answer.raise_for_status()
            return list(answer.json())

    def deliveries(self, sha: str) -> list[dict[str, Any]]:
        runs = self.ask("flow_runs/filter", flows={"name": {"any_": ["deliver"]}}, sort="START_TIME_DESC")
        return [run for run in runs if run["parameters"].get("revision") == sha]

    def arrivals(self, sha: str) -> list[dict[str, Any]]:
        runs = self.ask("flow_runs/filter", flows={"name": {"any_": ["push"]}}, sort="START_TIME_DESC")
        return [run for run in runs if (run["parameters"].get("arrival") or {}).get("sha") == sha]

    def first_step(self, sha: str) -> float | None:
        """Return when the first step of the commit's delivery began, or none as long as there is none."""
        runs = [run["id"] for run in self.deliveries(sha)]
        if not runs:
            return None
        steps = self.ask("task_runs/filter", flow_runs={"id": {"any_": runs}})
        began = [datetime.fromisoformat(step["start_time"]).timestamp() for step in steps if step["start_time"]]
        return min(began, default=None)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    folder: Path = tmp_path_factory.mktemp("hooks")
    project = Project(new_home(folder / "home").root, folder / "app", free_port())
    project.copy_example("hello")
    project.describe("  production: {target: {port: PORT}, watch: {seconds: 1}}\n")
    repository = f"repository: {{url: 'file://{project.folder}', branches: {{main: production}}}}\n"
    with (project.folder / "headway.yaml").open("a") as file:
        file.write(repository)
    project.commit("Say where it is")
    try:
        done = project.headway("up")
        assert done.returncode == 0, done.stderr
        made = Pushed(project)
        made.connect()
        yield made
    finally:
        remove_platform(project)


def is_over(pushed: Pushed, sha: str) -> bool:
    return any(run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") for run in pushed.deliveries(sha))


def test_a_push_is_live_without_anybody_asking(pushed, record_property):
    seconds, parts = [], []
    for number in range(PUSHES):
        sha, at = pushed.push(f"Push {number}")
        wait_for(lambda sha=sha: pushed.first_step(sha))
        seconds.append(pushed.first_step(sha) - at)
        (arrival,), (delivery,) = pushed.arrivals(sha), pushed.deliveries(sha)
        moments = (arrival["created"], arrival["start_time"], delivery["created"], delivery["start_time"])
        parts.append([round(datetime.fromisoformat(one).timestamp() - at, 2) for one in moments])
        wait_for(lambda sha=sha: is_over(pushed, sha))

    record_property("push_to_first_step_seconds", [round(one, 2) for one in seconds])
    record_property("push_to_first_step_median_seconds", round(statistics.median(seconds), 2))
    record_property("arrival_made_begun_delivery_made_begun_seconds", json.dumps(parts))
    assert greeting(pushed.project) == f"Push {PUSHES - 1}"


def once_delivered(pushed: Pushed, sha: str) -> None:
    """Return when the commit was delivered, by one run of one arrival."""
    wait_for(lambda: is_over(pushed, sha))
    assert [run["state_name"] for run in pushed.deliveries(sha)] == ["Completed"]
    assert len(pushed.arrivals(sha)) == 1


def test_what_is_pushed_while_the_server_is_gone_for_a_minute_is_delivered_once(pushed, record_property):
    orchestrator = Orchestrator(pushed.home)
    orchestrator.keeper.stop()  # it would start the server again
    orchestrator.server.stop()
    sha, _ = pushed.push("The server is gone")
    threading.Event().wait(GONE_SECONDS)

    began = time.time()
    assert pushed.project.headway("up").returncode == 0
    wait_for(lambda: pushed.first_step(sha))
    record_property("server_back_to_first_step_seconds", round(time.time() - began, 1))

    once_delivered(pushed, sha)
    assert greeting(pushed.project) == "The server is gone"


def test_what_is_pushed_while_the_worker_is_gone_for_a_minute_is_delivered_once(pushed, record_property):
    orchestrator = Orchestrator(pushed.home)
    orchestrator.keeper.stop()
    orchestrator.worker.stop()
    sha, _ = pushed.push("The worker is gone")
    threading.Event().wait(GONE_SECONDS)
    before = pushed.deliveries(sha)

    began = time.time()
    assert pushed.project.headway("up").returncode == 0
    wait_for(lambda: pushed.first_step(sha))
    record_property("worker_back_to_first_step_seconds", round(time.time() - began, 1))

    assert before == []
    once_delivered(pushed, sha)
    assert greeting(pushed.project) == "The worker is gone"


def test_a_receiver_that_is_killed_is_started_again(pushed):
    daemon = receiver_daemon(pushed.home)
    process = daemon.process()
    assert process
    process.kill()

    wait_for(lambda: (found := daemon.process()) is not None and found.pid != process.pid)
    wait_for(lambda: httpx.get(f"http://127.0.0.1:{pushed.port}/health", trust_env=False).status_code == 200)
    sha, _ = pushed.push("The receiver was killed")
    once_delivered(pushed, sha)
