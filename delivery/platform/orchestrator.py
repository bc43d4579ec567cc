"""The Prefect server, the worker and the keeper of one machine, as background processes."""

import os
import socket
import sys
import time
from pathlib import Path

import httpx
import psutil

from delivery.errors import Rejected
from delivery.home import Home
from delivery.platform.daemon import Daemon

POOL = "headway"
START_SECONDS = 120  # the first start migrates the database; two busy cores need most of a minute
ROOT = Path(__file__).resolve().parents[2]


class Orchestrator:
    """Prefect's server with its UI, one process worker, and who keeps both alive, for the platform in `home`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        folder, logs = home.root / "daemons", home.logs
        self.server = Daemon("server", folder, logs / "server.log")
        self.worker = Daemon("worker", folder, logs / "worker.log")
        self.recovery = Daemon("recovery", folder, logs / "recovery.log")
        self.keeper = Daemon("keeper", folder, logs / "keeper.log", has_family=False)

    @property
    def port(self) -> int:
        """The server's port: 4200, or a free one when that was taken at the first start; kept from then on."""
        path = self.home.root / "daemons" / "server.port"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(_free_port(int(os.environ.get("HEADWAY_SERVER_PORT", "4200")))))
        return int(path.read_text())

    @property
    def url(self) -> str:
        """Where the UI is."""
        return f"http://127.0.0.1:{self.port}"

    def run_url(self, run: str) -> str:
        """Where the UI shows a run."""
        return f"{self.url}/runs/flow-run/{run}"

    def environment(self) -> dict[str, str]:
        """Return the variables that make Prefect commands and flows use this platform."""
        return {
            "HEADWAY_HOME": str(self.home.root),
            **({"HEADWAY_STORE": str(self.home.shared)} if self.home.shared else {}),
            "PREFECT_HOME": str(self.home.root / "prefect"),
            "PREFECT_PROFILES_PATH": str(self.home.root / "prefect" / "profiles.toml"),
            "PREFECT_API_URL": f"{self.url}/api",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            # Leases in memory lose a strict holder's slot for good when the server restarts.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            # Where worker and recovery were killed, no recovery is scheduled for as long as this: 300 by default.
            "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "60",
            # A client that had an answer before asks again after 2, 4, 8 ... seconds: for two minutes without a server.
            "PREFECT_CLIENT_MAX_RETRIES": "6",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_LOGGING_LEVEL": "INFO",
            # What delivery/ warns of is part of the run it is said in; outside of a run nobody reads it.
            "PREFECT_LOGGING_EXTRA_LOGGERS": "headway",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            "PREFECT_CLI_COLORS": "false",
            # What runs hand to programs is UTF-8 whatever locale the platform was started under: emoji as well.
            "PYTHONUTF8": "1",
        }

    def start_server(self) -> None:
        """Bring the server up and return when it answers; Rejected with the log's end when it does not."""
        if self.answers():
            return
        self.launch_server()
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.server.process() is None or time.monotonic() > deadline:
                raise Rejected(
                    f"the Prefect server did not start on port {self.port}; the end of {self.server.log}:\n"
                    + self.server.last_lines()
                )
            time.sleep(0.2)

    def launch_server(self) -> None:
        """Start the server unless it runs, and return at once."""
        self.server.start(server_command(self.port), self.environment())

    def start_worker(self) -> None:
        """Bring the worker up; it makes its work pool when there is none."""
        self.worker.start(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"],
            self.environment(),
        )

    def start_keeper(self) -> None:
        """Bring the keeper up, unless `headway down` was the last word."""
        if self.home.up.exists():
            self.keeper.start([sys.executable, "-m", "delivery.platform"], self.environment())

    def start_recovery(self) -> None:
        """Start `headway recover` unless it runs, and return at once."""
        self.recovery.start([sys.executable, "-m", "cli", "recover"], self.environment())

    def stop(self) -> list[str]:
        """Stop everything, the keeper first so that it starts nothing again; return the names of those that ran."""
        self.home.up.unlink(missing_ok=True)
        daemons = (self.keeper, self.recovery, self.worker, self.server)
        return [daemon.name for daemon in daemons if daemon.stop()]

    def answers(self) -> bool:
        """Whether our server is healthy."""
        if self.server.process() is None:
            return False
        try:
            return httpx.get(f"{self.url}/api/health", timeout=3).status_code == 200
        except httpx.HTTPError:
            return False

    def runs(self) -> bool:
        """Whether server and worker are there."""
        return self.worker.process() is not None and self.answers()


def server_command(port: int) -> list[str]:
    """Return the command that serves Prefect's API and UI on this machine alone."""
    app = ["--factory", "blocks.server:create_app", "--host", "127.0.0.1", "--port", str(port)]
    quiet = ["--log-level", "warning", "--timeout-keep-alive", "30", "--ws-ping-interval", "20"]
    return [sys.executable, "-m", "uvicorn", *app, *quiet]


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Rejected("no free port on 127.0.0.1")


def resident_mebibytes(process: psutil.Process) -> float:
    """Return the memory a process and its children hold, in MiB."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 2**20
