"""What Headway knows of test runners: how each takes a shard and where it writes JUnit."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from delivery.app import Suite
from delivery.matrix import Cell

REPORTS = "/reports"
SHELLS = ("sh", "bash", "ash", "dash")


@dataclass(frozen=True)
class ToolCommand:
    """How a suite is started in a cell; `command` is none when the image's own is right as it is."""

    command: tuple[str, ...] | None
    env: Mapping[str, str]
    junit: str | None

    @property
    def junit_expected(self) -> bool:
        """Whether a run without a JUnit file counts as a run without tests."""
        return self.junit is not None


def tool_command(suite: Suite, cell: Cell, image_command: Sequence[str] = ()) -> ToolCommand:
    """Return command, variables and JUnit glob for `cell`; the suite's own variables win over the tool's.

    `image_command` is what the image runs by itself: a tool's arguments are added to it when the suite has no
    command of its own.
    """
    own = {variable: cell.fill_axes(text) for variable, text in suite.env.items()}
    command = tuple(cell.fill_axes(part) for part in (suite.command or image_command))
    arguments, env = _tool(suite, cell, command, own)
    command = _with_arguments(command, arguments) if command else command
    asked_for = suite.command is not None or arguments
    return ToolCommand(
        command=command if command and asked_for else None,
        env={"CI": "true", **cell.variables, **env, **own, **_merged(env, own)},
        junit=suite.junit or (f"{REPORTS}/*.xml" if suite.tool != "command" else None),
    )


def _tool(suite: Suite, cell: Cell, command: Sequence[str], own: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and variables of the suite's tool."""
    shard = [f"--shard={cell.shard}/{cell.shards}"] if cell.shards > 1 else []
    match suite.tool:
        case "jest":
            return shard, _JEST
        case "pytest":
            split = f" --splits={cell.shards} --group={cell.shard}" if cell.shards > 1 else ""
            return [], {"PYTEST_ADDOPTS": f"--junitxml={REPORTS}/pytest.xml{split}"}
        case "newman":
            return ([] if _says(command, "-r", "--reporters") else _NEWMAN), {}
        case "playwright":
            return shard + ([] if _says(command, "--reporter") else ["--reporter=list,junit,json"]), _PLAYWRIGHT
        case "cypress":
            split_env = {"SPLIT": str(cell.shards), "SPLIT_INDEX": str(cell.shard - 1)} if cell.shards > 1 else {}
            return ([] if _says(command, "-r", "--reporter") else _CYPRESS), _ELECTRON | split_env
        case "command":
            return [], {}


_JEST = {
    "JEST_JUNIT_OUTPUT_DIR": REPORTS,
    "JEST_JUNIT_OUTPUT_NAME": "jest.xml",
    "JEST_JUNIT_REPORT_TEST_SUITE_ERRORS": "true",  # else a file that does not compile counts as nothing
    "JEST_JUNIT_SUITE_NAME": "{filepath}",
    "JEST_JUNIT_CLASSNAME": "{classname}",
    "JEST_JUNIT_TITLE": "{title}",
    "JEST_JUNIT_ADD_FILE_ATTRIBUTE": "true",
}
_NEWMAN = ["-r", "cli,junit", "--reporter-junit-export", f"{REPORTS}/newman.xml"]
_PLAYWRIGHT = {
    "PLAYWRIGHT_JUNIT_OUTPUT_NAME": f"{REPORTS}/playwright.xml",
    "PLAYWRIGHT_JSON_OUTPUT_NAME": f"{REPORTS}/playwright.json",  # the only report that tells flaky tests
}
_CYPRESS = ["--reporter", "junit", "--reporter-options", f"mochaFile={REPORTS}/cypress-[hash].xml,toConsole=false"]
_ELECTRON = {"ELECTRON_EXTRA_LAUNCH_ARGS": "--no-sandbox --disable-gpu"}


def _merged(tool: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that hold options of both the tool and the suite."""
    if "PYTEST_ADDOPTS" in tool and "PYTEST_ADDOPTS" in own:
        return {"PYTEST_ADDOPTS": f"{own['PYTEST_ADDOPTS']} {tool['PYTEST_ADDOPTS']}"}
    return {}


def _says(command: Sequence[str], *options: str) -> bool:
    words = [word for part in command for word in part.split()]
    return any(word == option or word.startswith(f"{option}=") for word in words for option in options)


def _with_arguments(command: tuple[str, ...], arguments: Sequence[str]) -> tuple[str, ...]:
    """Return `command` so that its last program gets `arguments`, also through a shell or `npm test`."""
    if not arguments:
        return command
    program = command[0].rpartition("/")[2]
    if program in SHELLS and len(command) == 3 and command[1].startswith("-") and command[1].endswith("c"):
        return (*command[:2], f"{command[2]} {shlex.join(arguments)}")
    if program == "npm" and "--" not in command:
        return (*command, "--", *arguments)
    return (*command, *arguments)
