"""A platform and a project of their own, used through the command line as a user would."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from delivery.docker.engine.client import connect
from tests.support.platforms import free_port

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HEADWAY = Path(sys.executable).parent / "headway"
GIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]

# Other tests on this machine slow a release down as they come and go.
UNHURRIED = "watch: {max_slowdown: 50, "

ENDS_SECONDS = 300  # what a command may need to end that has to do little
HANGS_SECONDS = 1200  # what takes longer on the slowest of machines has come to a standstill


@dataclass
class Project:
    """A copy of an example in a repository of its own, and the platform that delivers it."""

    home: Path
    folder: Path
    server_port: int = field(default_factory=free_port)
    ports: dict[str, int] = field(default_factory=dict)
    ending: str = ""
    program: Path = HEADWAY
    address: str = "127.0.0.1"
    more: dict[str, str] = field(default_factory=dict)  # variables

    @property
    def env(self) -> dict[str, str]:
        ours = {"HEADWAY_HOME": str(self.home), "HEADWAY_SERVER_PORT": str(self.server_port), "COLUMNS": "200"}
        return {name: value for name, value in os.environ.items() if name != "HEADWAY_STARTED"} | ours | self.more

    def copy_example(self, name: str) -> None:
        """Take the example's files, in a repository of their own, with ports of their own."""
        shutil.copytree(EXAMPLES / name, self.folder, ignore=shutil.ignore_patterns("node_modules"))
        for environment, port in (("staging", 8081), ("production", 8080)):
            if f"port: {port}}}" in (self.folder / "headway.yaml").read_text():
                self.ports[environment] = free_port()
                self.edit("headway.yaml", f"port: {port}}}", f"port: {self.ports[environment]}}}")
        if name == "taskmanager":
            self.edit("headway.yaml", "watch: {", UNHURRIED)
        self.git("init", "-q", "-b", "main")
        self.commit("Start")

    def describe(self, environments: str) -> str:
        """Replace the file's environments, each PORT by a free port, and commit it."""
        path = self.folder / "headway.yaml"
        self.ports["production"] = self.ports.get("production") or free_port()
        text = environments.replace("PORT", str(self.ports["production"]))
        scan = "scan: {when_inconclusive: allow}  # there may be no vulnerability database in reach\n"
        before = path.read_text().partition("environments:")[0].partition("scan:")[0]
        path.write_text(f"{before}{scan}environments:\n{text}")
        return self.commit("Change the environments")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    def commit(self, subject: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def apply_fault(self, name: str) -> str:
        self.git("apply", f"faults/{name}.patch")
        return self.commit(f"Break it: {name}")

    def undo(self) -> str:
        """Go back to what was committed before the last commit, as a new commit."""
        self.git("revert", "--no-edit", "HEAD")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        done = subprocess.run([*GIT, *arguments], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def headway(self, *arguments: str, timeout: float = 600, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            input=typed,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.program), *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def url(self, environment: str = "production") -> str:
        return f"http://{self.address}:{self.ports[environment]}"

    def served_revision(self, environment: str = "production") -> str:
        answer = httpx.get(f"{self.url(environment)}/version", timeout=10)
        answer.raise_for_status()
        return str(answer.json()["revision"])

    def status(self) -> dict[str, Any]:
        done = self.headway("status", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def identity(self) -> str:
        return (self.home / "identity").read_text().strip()

    def things(self) -> set[str]:
        """Return every container, network and volume of this platform, but for what scans share."""
        label = {"label": f"headway.platform={self.identity()}"}
        client = connect()
        try:
            containers = [
                f"container {found.name}"
                for found in client.containers.list(all=True, filters=label, ignore_removed=True)
            ]
            networks = [f"network {found.name}" for found in client.networks.list(filters=label)]
            volumes = [
                f"volume {found.name}"
                for found in client.volumes.list(filters=label)
                if found.attrs["Labels"].get("headway.role") != "vulnerability-database"
            ]
        finally:
            client.close()
        return {*containers, *networks, *volumes}


def output_of(process: subprocess.Popen[str]) -> str:
    """Return all that a started command printed, once it has ended."""
    output, _ = process.communicate(timeout=ENDS_SECONDS)
    return output
