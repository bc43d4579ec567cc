"""The smallest application and who delivers it: what it says, a change of that, a delivery on its way."""

import os
import signal
import subprocess
import time

import httpx
import pytest

from delivery.changes.heartbeat import FolderHeartbeats
from tests.end_to_end.project import HANGS_SECONDS, Project, output_of

QUICK = "  production: {target: {port: PORT}, watch: {seconds: 1}, busy: BUSY}\n"
LONG = QUICK.replace("seconds: 1}", f"seconds: {HANGS_SECONDS}, min_requests: 1}}")
RECOVERED_SECONDS = 300  # some seconds, were it alone on the machine


def change(project: Project, greeting: str) -> None:
    text = (project.folder / "server.py").read_text()
    old = text.partition('return f"')[2].partition(",")[0]
    project.edit("server.py", f'return f"{old},', f'return f"{greeting},')
    project.edit("test_server.py", f'"{old},', f'"{greeting},')
    project.commit(f"Say {greeting}")


def greeting(project: Project) -> str:
    return httpx.get(f"{project.url()}/Ada", timeout=10).text.partition(",")[0]


def until_line(process: subprocess.Popen[str], text: str) -> None:
    """Return when the command printed a line with `text`."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    pytest.fail(f"the command ended without {text!r}:\n{''.join(lines)}")


def start_long_run(project: Project, described: str = LONG.replace("BUSY", "queue")) -> subprocess.Popen[str]:
    """Start a delivery and return when all traffic is on it and it is being watched."""
    project.describe(described)
    process = project.start("run")
    until_line(process, "✓ shift to 100 %")
    return process


def kill_its_carrier(project: Project, process: "subprocess.Popen[str]") -> str:
    """Kill the process that carries the only run of the platform; return what the command that waits for it printed."""
    heartbeats = FolderHeartbeats(project.home / "heartbeats")
    (run,) = heartbeats.alive()
    carrier = heartbeats.find(run)
    assert carrier
    os.kill(carrier.process, signal.SIGKILL)
    return output_of(process)


def wait_for(done: object) -> None:
    deadline = time.monotonic() + RECOVERED_SECONDS
    while True:
        try:
            if done():  # type: ignore[operator]
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1)
