"""The files of infra/ci in an application's repository, where docs/ci.md says they go."""

import shutil
import sys
from pathlib import Path

from tests.end_to_end.project import Project

CI = Path(__file__).resolve().parents[3] / "infra" / "ci"
PROGRAMS = Path(sys.executable).parent


def lay_out(folder: Path) -> None:
    """Copy them as a user does."""
    headway, workflows = folder / ".github" / "headway", folder / ".github" / "workflows"
    (headway / "github").mkdir(parents=True)
    shutil.copy(CI / "run-and-follow.sh", headway)
    shutil.copy(CI / "github" / "action.yml", headway / "github")
    shutil.copytree(CI / "github" / "workflows", workflows)
    (folder / "ci" / "headway").mkdir(parents=True)
    shutil.copy(CI / "run-and-follow.sh", folder / "ci" / "headway")
    shutil.copy(CI / "jenkins" / "Jenkinsfile", folder)


def break_the_tests(project: Project) -> None:
    project.edit("test_server.py", "import unittest", "import unittest\n\nraise SystemExit(3)")
    project.commit("Break the tests")
