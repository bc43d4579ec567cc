"""A whole platform on a Prefect server that somebody else runs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from delivery.home import Home
from delivery.platform.daemon import Daemon
from tests.support.platforms import free_port, new_home, remove_platform

pytestmark = [
    pytest.mark.long,
    pytest.mark.docker,
    pytest.mark.prefect,
    # A daemon is meant to outlive the object that started it.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "pa55word-of-ann"
DEADLINE_SECONDS = 150


class Elsewhere:
    """Prefect's own server, behind a password, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.daemon = Daemon("elsewhere", folder, folder / "elsewhere.log")
        app = ["prefect.server.api.server:create_app", "--factory", "--host", "127.0.0.1", "--port", str(self.port)]
        env = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_API_AUTH_STRING": f"ann:{PASSWORD}"}
        self.daemon.start(
            [sys.executable, "-m", "uvicorn", *app, "--log-level", "warning"],
            env | {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_API_BLOCKS_REGISTER_ON_START": "false"},
        )

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        return httpx.request(method, f"{self.url}/{path}", auth=("ann", PASSWORD), timeout=30, **more)

    def answers(self) -> bool:
        try:
            return self.ask("GET", "health").status_code == 200
        except httpx.HTTPError:
            return False

    def run_to_its_end(self, deployment: str) -> str:
        """Run a deployment and return the state it ended in."""
        found = self.ask("GET", f"deployments/name/{deployment}").json()["id"]
        run = self.ask("POST", f"deployments/{found}/create_flow_run", json={}).json()["id"]

        def state() -> str:
            return str(self.ask("GET", f"flow_runs/{run}").json()["state_type"])

        until(lambda: state() not in ("SCHEDULED", "PENDING", "RUNNING"))
        return state()


def until(condition) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@pytest.fixture
def elsewhere(tmp_path):
    server = Elsewhere(tmp_path / "elsewhere")
    until(server.answers)
    yield server
    server.daemon.stop(grace_seconds=5)


@pytest.fixture
def home(tmp_path):
    home = new_home(tmp_path / "home")
    yield home
    headway(home, "down")
    remove_platform(home)


def headway(home: Home, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "HEADWAY_"))}
    given |= {"HEADWAY_HOME": str(home.root), "HEADWAY_SERVER_PORT": "0", "COLUMNS": "200", **env}
    return subprocess.run([sys.executable, "-m", "cli", *words], env=given, cwd=ROOT, capture_output=True, text=True)


def kept_text(home: Home) -> str:
    """Return all that the platform wrote, logs included."""
    folders = [home.root / "daemons", home.logs, home.root / "prefect"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return "".join(path.read_text(errors="replace") for path in files)


def test_a_platform_uses_the_server_that_prefect_api_url_names_and_leaves_it_running(elsewhere, home):
    secret = {"PREFECT_API_AUTH_STRING": f"ann:{PASSWORD}"}
    up = headway(home, "up", PREFECT_API_URL=elsewhere.url, **secret)
    assert up.returncode == 0, up.stderr

    ended = elsewhere.run_to_its_end("recover/every-minute")
    status = headway(home, "status", "--json", **secret)
    daemons = {path.stem for path in (home.root / "daemons").glob("*.pid")}
    results = elsewhere.ask("GET", "block_types/slug/local-file-system/block_documents/name/headway-results").json()
    down = headway(home, "down")
    lived_on = elsewhere.answers()
    elsewhere.daemon.stop(grace_seconds=5)
    gone = headway(home, "status", PREFECT_API_URL=f"http://ann:{PASSWORD}@127.0.0.1:{elsewhere.port}/api")

    assert f"{elsewhere.url}, which PREFECT_API_URL names" in up.stdout
    assert ended == "COMPLETED"
    assert json.loads(status.stdout)["environments"] == []
    assert {"keeper", "worker"} <= daemons
    assert "server" not in daemons
    assert results["data"]["basepath"] == str(home.results)
    assert (down.returncode, lived_on) == (0, True)
    assert gone.returncode == 2
    assert f"PREFECT_API_URL: {elsewhere.url} does not answer" in gone.stderr
    assert "next: start that server" in gone.stderr
    printed = "".join(done.stdout + done.stderr for done in (up, status, down, gone))
    assert PASSWORD not in printed + kept_text(home)
