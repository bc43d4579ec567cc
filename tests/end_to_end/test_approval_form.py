"""A person lets a release in with the form of the Prefect UI, in a real browser."""

import os
import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.browser import drive
from tests.end_to_end.project import Project
from tests.end_to_end.question import start_and_wait_for_the_question

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("taskmanager"), pytest.mark.timeout(400)]
HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "images"


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
