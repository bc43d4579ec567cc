"""Each test runner is told its shard and where to write JUnit."""

from typing import Any

import pytest

from delivery.app import Suite
from delivery.matrix import Cell
from delivery.runners import ToolCommand, tool_command

ONE = Cell(suite="unit")
SECOND_OF_THREE = Cell(suite="unit", axes={"node": "22"}, shard=2, shards=3)


def command(cell: Cell = ONE, image_command: tuple[str, ...] = (), **fields: Any) -> ToolCommand:
    return tool_command(Suite(image="web", **fields), cell, image_command)


@pytest.mark.parametrize(
    ("tool", "own", "expected"),
    [
        ("command", ["run", "it"], ("run", "it")),
        ("jest", ["npx", "jest"], ("npx", "jest", "--shard=2/3")),
        ("jest", ["npm", "test"], ("npm", "test", "--", "--shard=2/3")),
        ("jest", ["npm", "test", "--", "--ci"], ("npm", "test", "--", "--ci", "--shard=2/3")),
        ("jest", ["sh", "-c", "cd x && npx jest"], ("sh", "-c", "cd x && npx jest --shard=2/3")),
        ("jest", ["/bin/bash", "-ec", "npx jest"], ("/bin/bash", "-ec", "npx jest --shard=2/3")),
        ("pytest", ["pytest", "tests"], ("pytest", "tests")),
        (
            "newman",
            ["newman", "run", "c.json"],
            ("newman", "run", "c.json", "-r", "cli,junit", "--reporter-junit-export", "/reports/newman.xml"),
        ),
        ("newman", ["newman", "run", "c.json", "-r", "junit"], ("newman", "run", "c.json", "-r", "junit")),
        (
            "playwright",
            ["npx", "playwright", "test"],
            ("npx", "playwright", "test", "--shard=2/3", "--reporter=list,junit,json"),
        ),
        (
            "playwright",
            ["npx", "playwright", "test", "--reporter=junit"],
            ("npx", "playwright", "test", "--reporter=junit", "--shard=2/3"),
        ),
        (
            "cypress",
            ["cypress", "run"],
            (
                *("cypress", "run", "--reporter", "junit", "--reporter-options"),
                "mochaFile=/reports/cypress-[hash].xml,toConsole=false",
            ),
        ),
    ],
)
def test_a_tool_gets_its_arguments(tool: str, own: list[str], expected: tuple[str, ...]) -> None:
    assert command(SECOND_OF_THREE, tool=tool, command=own).command == expected


def test_a_suite_that_is_not_split_gets_no_shard() -> None:
    assert command(tool="jest", command=["npx", "jest"]).command == ("npx", "jest")


def test_the_images_own_command_is_left_alone_when_nothing_is_added() -> None:
    assert command(tool="jest", image_command=("npx", "jest")).command is None


def test_arguments_are_added_to_the_images_own_command() -> None:
    found = command(SECOND_OF_THREE, ("npx", "jest"), tool="jest")
    assert found.command == ("npx", "jest", "--shard=2/3")


def test_an_image_without_a_command_runs_as_it_is() -> None:
    assert command(SECOND_OF_THREE, tool="jest").command is None


@pytest.mark.parametrize(
    ("tool", "variable", "value"),
    [
        ("jest", "JEST_JUNIT_REPORT_TEST_SUITE_ERRORS", "true"),
        ("jest", "JEST_JUNIT_OUTPUT_DIR", "/reports"),
        ("pytest", "PYTEST_ADDOPTS", "--junitxml=/reports/pytest.xml --splits=3 --group=2"),
        ("playwright", "PLAYWRIGHT_JSON_OUTPUT_NAME", "/reports/playwright.json"),
        ("cypress", "SPLIT_INDEX", "1"),
        ("command", "HEADWAY_SHARD", "2"),
        ("command", "HEADWAY_SHARD_INDEX", "1"),
        ("command", "HEADWAY_SHARDS", "3"),
        ("command", "NODE", "22"),
        ("command", "CI", "true"),
    ],
)
def test_a_tool_gets_its_variables(tool: str, variable: str, value: str) -> None:
    assert command(SECOND_OF_THREE, tool=tool).env[variable] == value


def test_own_variables_win_and_own_options_of_pytest_are_kept() -> None:
    found = command(tool="pytest", env={"CI": "", "PYTEST_ADDOPTS": "-x"})
    assert (found.env["CI"], found.env["PYTEST_ADDOPTS"]) == ("", "-x --junitxml=/reports/pytest.xml")


def test_axis_values_are_filled_into_command_and_variables() -> None:
    found = command(SECOND_OF_THREE, command=["node${node}"], env={"V": "v${node}"})
    assert (found.command, found.env["V"]) == (("node22",), "v22")


@pytest.mark.parametrize(
    ("fields", "junit"),
    [
        ({"tool": "pytest"}, "/reports/*.xml"),
        ({"tool": "pytest", "junit": "/out/*.xml"}, "/out/*.xml"),
        ({"junit": "/out/*.xml"}, "/out/*.xml"),
        ({}, None),
    ],
)
def test_a_known_tool_owes_a_report(fields: dict[str, Any], junit: str | None) -> None:
    found = command(**fields)
    assert (found.junit, found.junit_expected) == (junit, junit is not None)
