"""A person lets a release in: in the Prefect UI with a real browser, and from the command line."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.browser import drive
from tests.end_to_end.project import Project

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("end-to-end"), pytest.mark.timeout(400)]
ASKS = "  production: {target: {port: PORT}, watch: {seconds: 1}, approval: {by: person, wait: WAIT}}\n"
HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "images"


def start_and_wait_for_the_question(project: Project, wait: str) -> tuple[subprocess.Popen[str], str]:
    """Return a delivery that asks, and the address of its run in the UI."""
    project.describe(ASKS.replace("WAIT", wait))
    process = project.start("run")
    assert process.stdout
    printed: list[str] = []
    for line in process.stdout:
        printed.append(line)
        if found := re.search(r"answer in the UI: (\S+)", line):
            return process, found[1]
    pytest.fail("nobody was asked:\n" + "".join(printed))


def test_a_release_is_let_in_with_the_form_in_the_ui(live: Project, hello: Project, tmp_path: Path) -> None:
    hello.edit("README.md", "# hello", "# hello, again")
    hello.commit("Greet again")
    process, run_url = start_and_wait_for_the_question(hello, "pause")

    drive(live, HERE / "approve.cjs", tmp_path, RUN_URL=run_url, APPROVER="ada@example.org")

    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert httpx.get(hello.url(), timeout=10).status_code == 200
    report = Path(re.findall(r"^report +(\S+)$", output, re.MULTILINE)[0]).read_text()
    assert "ada@example.org" in report
    pictures = {path.name: path for path in tmp_path.glob("*.png")}
    assert set(pictures) == {"paused-run.png", "finished-run.png"}
    if os.environ.get("HEADWAY_KEEP_PICTURES"):
        for name, path in pictures.items():
            shutil.copy(path, DOCS / name)


def test_a_suspended_run_and_all_state_survive_a_stop_of_everything(hello: Project) -> None:
    hello.edit("README.md", "# hello", "# hello, suspended")
    hello.commit("Say suspended")
    process, run_url = start_and_wait_for_the_question(hello, "suspend")
    before = hello.status()["environments"]

    stopped = [hello.headway("down").returncode for _ in range(2)]
    with pytest.raises(httpx.ConnectError):
        httpx.get(hello.url(), timeout=10)
    refused = hello.headway("status")
    started = [hello.headway("up").returncode for _ in range(2)]
    after = hello.status()["environments"]
    approved = hello.headway("approve", run_url.rpartition("/")[2][:8], "--by", "grace@example.org", "--comment", "go")
    output, _ = process.communicate(timeout=120)

    assert (stopped, started, refused.returncode) == ([0, 0], [0, 0], 2)
    assert "headway up" in refused.stderr
    assert [view["state"]["slots"] for view in after] == [view["state"]["slots"] for view in before]
    assert approved.returncode == 0, approved.stderr
    assert process.returncode == 0, output
    assert output.count("✓ build web") <= 1


def test_a_rejected_release_goes_nowhere(hello: Project) -> None:
    hello.edit("README.md", "# hello", "# hello, rejected")
    hello.commit("Say rejected")
    before = hello.status()["environments"]
    process, _ = start_and_wait_for_the_question(hello, "pause")

    rejected = hello.headway("reject", "--by", "grace@example.org", "--comment", "not today")

    output, _ = process.communicate(timeout=120)
    assert rejected.returncode == 0, rejected.stderr
    assert process.returncode == 1, output
    assert "rejected by grace@example.org: not today" in output
    assert hello.status()["environments"] == before
