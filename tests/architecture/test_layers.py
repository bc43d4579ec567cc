"""The arrows between the rooms hold, the code is typed, and its style is the house's."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "check",
    [["lint-imports", "--no-cache"], ["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=["imports", "lint", "format", "types"],
)
def test_a_check_of_the_whole_repository_finds_nothing(check: list[str]) -> None:
    done = subprocess.run([PROGRAMS / check[0], *check[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_lint_runs_the_same_checks() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for check in ("ruff check .", "ruff format --check .", "mypy", "lint-imports --no-cache"):
        assert f".venv/bin/{check}" in makefile
