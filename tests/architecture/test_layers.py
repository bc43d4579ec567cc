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


def test_make_acceptance_runs_the_long_tests_and_make_test_none_of_them() -> None:
    (line,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if "--figures" in line]
    options = line.partition("python -m tests ")[2].partition(" --figures")[0].split()
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "acceptance").glob("test_*.py")}
    others = [f"--ignore={path}" for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "acceptance"]

    assert there - collected(*options, *others) == set()
    assert there & collected("tests/acceptance") == set()


def collected(*options: str) -> set[str]:
    """Return the files of which pytest would run tests."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED), done.stdout + done.stderr
    return {line.partition(":")[0] for line in done.stdout.splitlines() if line.startswith("tests/")}
