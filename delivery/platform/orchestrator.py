"""The Prefect server, the worker and the keeper of one machine, as background processes; or a server elsewhere."""

import json
import os
import sys
from pathlib import Path

import httpx
from pydantic import SecretStr

from delivery.errors import Misconfigured, Rejected
from delivery.home import LOCK_SETTING, Home
from delivery.platform.daemon import Daemon
from delivery.platform.local_aws import LocalAws
from delivery.platform.ports import free_port
from delivery.platform.prefect_api import SETTING, PrefectApi
from delivery.platform.prefect_settings import SET_BY_HEADWAY, chosen_settings, filled_in, is_chosen, profiles_path
from delivery.waiting import until

POOL = "headway"
SERVER_KEY, CLIENT_KEY = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
RESULTS_SETTING = "PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK"
RESULTS_BLOCK = "local-file-system/headway-results"
RESULTS_IN_S3 = "s3-bucket/headway-results"
RESULTS_FOLDER_SETTING = "PREFECT_RESULTS_LOCAL_STORAGE_PATH"
STORE_SETTING, REGISTRY_SETTING = "HEADWAY_STORE", "HEADWAY_REGISTRY"
START_SECONDS = 120  # the first start migrates the database; two busy cores need most of a minute


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
            wanted = os.environ.get("HEADWAY_SERVER_PORT") or self._chosen.get("PREFECT_SERVER_API_PORT") or "4200"
            path.write_text(str(free_port(_port_number(wanted))))
        return int(path.read_text())

    @property
    def elsewhere(self) -> PrefectApi | None:
        """The server that PREFECT_API_URL names, or that this platform is up with; none: Headway runs its own."""
        url = self._chosen.get(SETTING, "")
        if url and not self._is_own(url):
            return PrefectApi(url, self._chosen)
        return PrefectApi(self._joined, self._chosen) if self._joined and not url else None

    @property
    def url(self) -> str:
        """Where the UI is."""
        return self.elsewhere.ui if self.elsewhere else f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Where the API is, without credentials."""
        return self.elsewhere.shown if self.elsewhere else f"{self.url}/api"

    @property
    def key(self) -> SecretStr:
        """What the own server asks for, as `user:password`: the user's choice, else made once for this platform."""
        chosen = self._chosen.get(SERVER_KEY)
        return SecretStr(chosen) if chosen else self.home.key(self.home.server_key)

    def run_url(self, run: str) -> str:
        """Where the UI shows a run."""
        return f"{self.url}/runs/flow-run/{run}"

    def environment(self) -> dict[str, str]:
        """Return the variables that make Prefect commands and flows use this platform; what the user has set stays."""
        elsewhere, prefect_home = self.elsewhere, self.home.root / "prefect"
        ours = {
            "PREFECT_HOME": str(prefect_home),
            "PREFECT_PROFILES_PATH": str(profiles_path(self._chosen, prefect_home)),
            SETTING: elsewhere.url if elsewhere else f"{self.url}/api",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
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
            **self._results(),
        }
        if elsewhere:
            ours["PREFECT_UI_URL"] = elsewhere.ui  # links are shown, and Prefect's own hold what the API's URL holds
        chosen = dict(self._chosen)
        if not elsewhere:  # our server asks for it, so our clients say it, whatever a server elsewhere asks for
            ours[CLIENT_KEY] = self.key.get_secret_value()
            chosen.pop(CLIENT_KEY, None)
        elif CLIENT_KEY in os.environ.get(SET_BY_HEADWAY, "").split():
            ours[CLIENT_KEY] = ""  # the key of the platform that started this process is none of that server's
        return {
            **filled_in(ours, chosen),
            "HEADWAY_HOME": str(self.home.root),
            **{name: place for name, place in self._chosen_places.items() if place},
            "DO_NOT_TRACK": os.environ.get("DO_NOT_TRACK") or "1",
            # What runs hand to programs is UTF-8 whatever locale the platform was started under: emoji as well.
            "PYTHONUTF8": "1",
            **LocalAws(self.home).environment(),
        }

    def _results(self) -> dict[str, str]:
        """Return where it is set what steps return.

        By name where others may carry a run on, whatever folders they have themselves. Else by the folder: for one
        block each process of a run would load every block that prefect-aws and prefect-docker have.
        """
        if self.home.bucket:
            return {RESULTS_SETTING: RESULTS_IN_S3}
        if self.elsewhere or self.home.shared or is_chosen(RESULTS_SETTING, self._chosen):
            return {RESULTS_SETTING: RESULTS_BLOCK}
        return {RESULTS_FOLDER_SETTING: str(self.home.results)}

    def server_environment(self) -> dict[str, str]:
        """Return the variables of the own server: it asks for the key, and answers no page but its own."""
        origins = ",".join(f"http://{host}:{self.port}" for host in ("127.0.0.1", "localhost"))
        ours = {
            SERVER_KEY: self.key.get_secret_value(),
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": origins,
            "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        }
        environment, filled = self.environment(), filled_in(ours, self._chosen)
        filled[SET_BY_HEADWAY] = f"{environment[SET_BY_HEADWAY]} {filled[SET_BY_HEADWAY]}"
        return environment | filled

    def check(self) -> None:
        """Return when a server elsewhere can be used, or there is none; Misconfigured when it cannot be."""
        elsewhere = self.elsewhere
        if self.home.up.exists() and (elsewhere.shown if elsewhere else "") != self._joined:
            with_what = f"the Prefect server {self._joined}" if self._joined else "a Prefect server of its own"
            found = f"{self.api}, but the platform in {self.home.root} is up with {with_what}"
            raise Misconfigured(SETTING, found, next_step=_changing_over(SETTING, self._joined))
        if self.home.up.exists():
            self._check_places()
        if elsewhere:
            elsewhere.check()

    def _check_places(self) -> None:
        """Return when this shell means the store and the registry that the platform is up with, which cannot change."""
        try:
            kept = json.loads(self._kept_places.read_text())
        except FileNotFoundError:  # brought up by an earlier version
            return
        for name, now in self._chosen_places.items():
            before = kept.get(name, "")
            if now != before:
                found = f"{now or 'not set'}, but the platform in {self.home.root} is up with {before or 'none'}"
                raise Misconfigured(name, found, next_step=_changing_over(name, before))

    @property
    def _chosen_places(self) -> dict[str, str]:
        """Where the user wants what platforms may share; empty: in the home."""
        return {
            STORE_SETTING: str(self.home.bucket or self.home.shared or ""),
            LOCK_SETTING: self.home.lock,
            REGISTRY_SETTING: os.environ.get(REGISTRY_SETTING, ""),
        }

    @property
    def _kept_places(self) -> Path:
        return self.home.root / "daemons" / "places.json"

    def join(self) -> None:
        """Keep which server, store and registry the platform is up with until `headway down`."""
        self._kept_places.parent.mkdir(parents=True, exist_ok=True)
        self._kept_places.write_text(json.dumps(self._chosen_places))
        path, elsewhere = self.home.root / "daemons" / "server.url", self.elsewhere
        if elsewhere:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(elsewhere.shown)
        else:
            path.unlink(missing_ok=True)

    def start_server(self) -> None:
        """Bring the server up and return when it answers; Rejected with the log's end when it does not.

        One elsewhere is only asked: Misconfigured when it does not answer.
        """
        if self.elsewhere:
            self.check()
            return
        self.launch_server()
        if not until(self.answers, seconds=START_SECONDS, every=0.2, unless=lambda: self.server.process() is None):
            raise Rejected(
                f"the Prefect server did not start on port {self.port}; the end of {self.server.log}:\n"
                + self.server.last_lines()
            )

    def launch_server(self) -> None:
        """Start the server unless it runs, or is elsewhere, and return at once."""
        if self.elsewhere:
            return
        if self.server.process() and self._is_open():
            self.server.stop()  # one that was started before it asked for a key
        self.server.start(server_command(self.port), self.server_environment())

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
        (self.home.root / "daemons" / "server.url").unlink(missing_ok=True)
        daemons = (self.keeper, self.recovery, self.worker, self.server)
        return [daemon.name for daemon in daemons if daemon.stop()]

    def answers(self) -> bool:
        """Whether the server is healthy; one elsewhere knows nothing of this platform before it was up."""
        if elsewhere := self.elsewhere:
            return self.home.up.exists() and elsewhere.answers()
        if self.server.process() is None:
            return False
        try:
            return httpx.get(f"{self.url}/api/health", timeout=3).status_code == 200
        except httpx.HTTPError:
            return False

    def runs(self) -> bool:
        """Whether server and worker are there."""
        return self.worker.process() is not None and self.answers()

    @property
    def is_expected_to_answer(self) -> bool:
        """Whether there is a server that could."""
        return self.elsewhere is not None or self.server.process() is not None

    def _is_open(self) -> bool:
        """Whether the own server tells anybody what only Headway may ask."""
        try:
            return httpx.get(f"{self.url}/api/admin/version", timeout=3, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def _chosen(self) -> dict[str, str]:
        return chosen_settings(os.environ, self.home.root / "prefect")

    @property
    def _joined(self) -> str:
        """The server elsewhere that the platform is up with, without credentials; empty: none."""
        path = self.home.root / "daemons" / "server.url"
        return path.read_text() if self.home.up.exists() and path.exists() else ""

    def _is_own(self, url: str) -> bool:
        """Whether a URL names the server that Headway runs for this home, as `headway up` prints it."""
        path = self.home.root / "daemons" / "server.port"
        port = path.read_text() if path.exists() else ""
        return url.rstrip("/") in {f"http://{host}:{port}/api" for host in ("127.0.0.1", "localhost")}


def server_command(port: int) -> list[str]:
    """Return the command that serves Prefect's API and UI on this machine alone."""
    app = ["--factory", "blocks.server:create_app", "--host", "127.0.0.1", "--port", str(port)]
    quiet = ["--log-level", "warning", "--timeout-keep-alive", "30", "--ws-ping-interval", "20"]
    return [sys.executable, "-m", "uvicorn", *app, *quiet]


def _port_number(text: str) -> int:
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise Misconfigured("HEADWAY_SERVER_PORT or PREFECT_SERVER_API_PORT", repr(text), "a port from 0 to 65535")


def _changing_over(name: str, kept: str) -> str:
    step = f"export {name}={kept}" if kept else f"unset {name}"
    return f"{step}; to change over: headway down, then headway up"
