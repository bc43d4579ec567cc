"""Every verb has help, every error its exit code, and a user never sees a traceback."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cli import main as module
from cli.main import app
from delivery.errors import CommandFailed, HeadwayError, Interrupted, Misconfigured, Rejected, ReleaseUnhealthy
from tests.cli.conftest import Headway

VERBS = [str(command.name) for command in app.registered_commands]
INSTALLED = Path(sys.executable).parent / "headway"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(headway: Headway, verb: str) -> None:
    ended = headway(verb, "--help")
    assert ended.code == 0
    assert f" {verb} [OPTIONS]" in ended.out


def test_without_a_verb_all_are_shown(headway: Headway) -> None:
    ended = headway()
    assert all(f"│ {verb} " in ended.out for verb in VERBS)


@pytest.mark.parametrize("arguments", [["nothing"], ["check", "--nothing"], ["plan", "--revision"], ["up", "a", "b"]])
def test_a_slip_on_the_command_line_is_told_in_one_line(headway: Headway, arguments: list[str]) -> None:
    ended = headway(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["status"], ["approve"], ["reject", "abc"], ["rollback"]])
def test_a_platform_that_is_not_up_is_told(headway: Headway, arguments: list[str]) -> None:
    ended = headway(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: the platform: it is not up\n  next: headway up\n"


def test_the_schema_is_one_an_editor_takes(headway: Headway) -> None:
    ended = headway("schema")
    assert ended.code == 0
    assert json.loads(ended.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Rejected("tests: 1 of 3 cells did not pass"), 1, "error: tests: 1 of 3 cells did not pass\n"),
        (CommandFailed(["git", "log"], 128, "fatal"), 1, "error: git log … ended with exit code 128\nfatal\n"),
        (Misconfigured("file", "is empty"), 2, "error: file: is empty\n"),
        (ReleaseUnhealthy("web is [bold]DOWN[/bold]"), 3, "error: web is [bold]DOWN[/bold]\n"),
        (Interrupted("the run was interrupted"), 130, "error: the run was interrupted\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (typer.Abort(), 130, "error: interrupted\n"),
    ],
)
def test_every_error_has_its_exit_code(
    headway: Headway, monkeypatch: pytest.MonkeyPatch, error: HeadwayError, code: int, said: str
) -> None:
    def fail(**options: object) -> None:
        raise error

    monkeypatch.setattr(module, "app", fail)
    ended = headway()
    assert (ended.code, ended.out, ended.err) == (code, "", said)


def test_the_installed_command_is_this_one(tmp_path: Path) -> None:
    done = subprocess.run([INSTALLED, "check", tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path}/headway.yaml: there is no such file\n  next: headway init\n"


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_no_colour_is_shown_on_a_terminal_where_none_is_wanted(tmp_path: Path, no_colour: str, coloured: bool) -> None:
    """Off a terminal there is none either: the installed command above printed plain text."""
    ours, theirs = pty.openpty()
    wanted = {"TERM": "xterm-256color", **({"NO_COLOR": no_colour} if no_colour else {})}
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")} | wanted
    process = subprocess.Popen([INSTALLED, "check", tmp_path], stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    printed = printed_on(ours)
    assert process.wait() == 2
    assert "there is no such file" in printed
    assert ("\x1b[31m" in printed) is coloured


def printed_on(terminal: int) -> str:
    """Return everything that is printed on a terminal until its last user is gone."""
    found = b""
    with contextlib.suppress(OSError):  # the end, on Linux
        while part := os.read(terminal, 4096):
            found += part
    os.close(terminal)
    return found.decode()
