"""The command line with a platform's folder and a project of its own; nothing of the platform runs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import main

GIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]
FILE = """\
app: shop
images: {web: {}}
services: {web: {port: 8000}}
suites: {unit: {image: web, command: [test], shards: 2}, e2e: {image: web}}
environments:
  staging: {acceptance: [e2e]}
  production: {after: staging, approval: {timeout_seconds: 60}, shift: {linear: {percent: 50, hold_seconds: 1}}}
"""


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Headway = Callable[..., Ended]


@pytest.fixture
def headway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Headway]:
    """Run `headway` as a user would; every test has a HEADWAY_HOME of its own."""
    before = dict(os.environ)
    os.environ |= {"HEADWAY_HOME": str(tmp_path / "home"), "COLUMNS": "200"}
    os.environ.pop("HEADWAY_STARTED", None)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["headway", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    yield run
    os.environ.clear()
    os.environ |= before


@dataclass
class Project:
    """An application in a repository of its own."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def git(self, *arguments: str) -> str:
        done = subprocess.run([*GIT, *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, subject: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with one commit."""
    made = Project(tmp_path / "shop")
    made.folder.mkdir()
    made.write("headway.yaml", FILE)
    made.write("Dockerfile", "FROM python:3.11-alpine\nEXPOSE 8000\n")
    made.git("init", "-q", "-b", "main")
    made.commit("Open the shop")
    return made
