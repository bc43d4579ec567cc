"""A delivery that asks a person."""

import re
import subprocess

import pytest

from tests.end_to_end.project import Project

ASKS = "  production: {target: {port: PORT}, watch: {seconds: 1}, approval: {by: person, wait: WAIT}}\n"


def describe_and_start(project: Project, wait: str) -> tuple[subprocess.Popen[str], str]:
    """Describe an environment that asks and return a delivery into it, and the address of its run in the UI."""
    project.describe(ASKS.replace("WAIT", wait))
    return start_and_wait_for_the_question(project)


def start_and_wait_for_the_question(project: Project) -> tuple[subprocess.Popen[str], str]:
    """Return a delivery that asks, and the address of its run in the UI."""
    process = project.start("run")
    assert process.stdout
    printed: list[str] = []
    for line in process.stdout:
        printed.append(line)
        if found := re.search(r"answer in the UI: (\S+)", line):
            return process, found[1]
    pytest.fail("nobody was asked:\n" + "".join(printed))
