"""A real application, delivered as a user would: what goes live, what is stopped, what is left behind."""

import os
import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.browser import APPROVE, Browser
from tests.end_to_end.load import load_on
from tests.end_to_end.project import HANGS_SECONDS, Project, output_of
from tests.end_to_end.question import start_and_wait_for_the_question

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end"),
    pytest.mark.timeout(HANGS_SECONDS),
]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "images"

# Which gate stops the fault, the exit code, and what the user is told.
FAULTS = [
    ("unit-test", 1, "rejected", "unit"),
    ("secret", 1, "rejected", "aws-access-key-id"),
    ("migration", 1, "rejected", 'relation "owners" does not exist'),
    ("health", 3, "withdrawn", "was not healthy within"),
]


def test_a_commit_goes_live_and_the_user_is_told_where(live: Project) -> None:
    assert live.served_revision() == live.git("rev-parse", "HEAD")
    assert httpx.get(live.url()).text.startswith("<!doctype html>")
    assert f"application   {live.url()}" in live.ending
    assert "/runs/flow-run/" in live.ending
    report = Path(re.findall(r"^report +(\S+)$", live.ending, re.MULTILINE)[0]).read_text()
    assert "<svg" in report
    assert "RPO" in report


def test_every_phase_and_its_time_is_told(live: Project) -> None:
    steps = re.findall(r"✓ (.+?) +(?:\d+ min )?[\d.]+ s", live.ending)
    expected = ["build backend", "build frontend", "scan backend", "unit 1/2", "unit 2/2", "api", "publish release"]
    expected += ["migrate staging", "accept staging by postman", "accept staging by e2e", "keep decision"]
    expected += ["restore a backup of production", "migrate production", "shift to 10 %", "shift to 100 %"]
    assert [step for step in expected if step not in steps] == []
    assert re.search(r"set-up (?:\d+ min )?[\d.]+ s, delivery ", live.ending)


def test_the_same_commit_again_is_told_and_builds_nothing(live: Project) -> None:
    again = live.headway("run")

    assert again.returncode == 0
    assert "is live already" in again.stdout
    assert live.url() in again.stdout
    assert "build backend" not in again.stdout


@pytest.mark.parametrize(("fault", "code", "outcome", "reason"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_bad_commit_is_stopped_and_leaves_nothing(
    live: Project, fault: str, code: int, outcome: str, reason: str
) -> None:
    before, served = running(live), live.served_revision()
    live.apply_fault(fault)
    with load_on(live.url(), workers=2) as counts:
        done = live.headway("run")
    live.undo()

    assert (done.returncode, counts.failures) == (code, []), done.stdout + done.stderr
    assert outcome in done.stderr
    assert reason in done.stderr + done.stdout
    assert live.served_revision() == served
    assert running(live) == before


def running(project: Project) -> set[str]:
    """Return what the platform runs; which of its two slots staging is in says nothing of what was left behind."""
    return {re.sub(r"-staging-(blue|green)", "-staging", thing) for thing in project.things()}


def test_pictures_of_the_ui_are_taken_of_a_release_that_a_person_let_in(
    live: Project, browser: Browser, tmp_path: Path
) -> None:
    live.edit("frontend/public/index.html", "<title>", "<title>New: ")
    live.edit("headway.yaml", "approval: {by: nobody}", "approval: {by: person, wait: pause}")
    revision = live.commit("Say that it is new, and ask a person")
    process, run_url = start_and_wait_for_the_question(live)
    browser.drive(APPROVE, tmp_path, RUN_URL=run_url, APPROVER="ada@example.org")
    output = output_of(process)

    assert process.returncode == 0, output
    assert live.served_revision() == revision
    pictures = {path.name: path for path in tmp_path.glob("*.png")}
    assert set(pictures) == {"paused-run.png", "finished-run.png"}
    if os.environ.get("HEADWAY_KEEP_PICTURES"):
        for name, path in pictures.items():
            shutil.copy(path, DOCS / name)
