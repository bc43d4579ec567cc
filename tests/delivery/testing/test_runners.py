"""Each test runner is started as its application means it, told its shard, and asked for a report."""

from typing import Any

import pytest

from delivery.errors import Misconfigured
from delivery.ports.jobs import ImageDefaults
from delivery.spec.matrix import Cell
from delivery.spec.suites import Suite
from delivery.testing.runners import ToolCommand, tool_command

ONE = Cell(suite="unit")
SECOND_OF_THREE = Cell(suite="unit", axes={"node": "22"}, shard=2, shards=3)
JEST = ("--json", "--outputFile=/reports/jest.json")
SHELL_JEST = "--json --outputFile=/reports/jest.json"
VITEST = (
    *("--reporter=default", "--reporter=junit", "--reporter=json"),
    *("--outputFile.junit=/reports/vitest.xml", "--outputFile.json=/reports/vitest.json"),
)
CYPRESS = ("--reporter", "junit", "--reporter-options", "mochaFile=/reports/cypress-[hash].xml,toConsole=false")
NODE = (
    "--test-reporter=spec --test-reporter-destination=stdout "
    "--test-reporter=junit --test-reporter-destination=/reports/node.xml"
)


def started(cell: Cell = ONE, image: ImageDefaults | None = None, **fields: Any) -> ToolCommand:
    return tool_command(Suite(image="web", **fields), cell, image)


@pytest.mark.parametrize(
    ("tool", "own", "expected"),
    [
        ("command", ["run", "it"], ("run", "it")),
        ("jest", ["npx", "jest"], ("npx", "jest", "--shard=2/3", *JEST)),
        (
            "jest",
            ["npx", "jest", "--json", "--outputFile=x"],
            ("npx", "jest", "--json", "--outputFile=x", "--shard=2/3"),
        ),
        ("vitest", ["npx", "vitest"], ("npx", "vitest", "--shard=2/3", *VITEST)),
        ("node", ["node", "--test"], ("node", "--test")),
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
        ("cypress", ["cypress", "run"], ("cypress", "run", *CYPRESS)),
    ],
)
def test_a_tool_gets_its_arguments(tool: str, own: list[str], expected: tuple[str, ...]) -> None:
    assert started(SECOND_OF_THREE, tool=tool, command=own).command == expected


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("jest", ("npx", "--no-install", "jest", *JEST)),
        ("vitest", ("npx", "--no-install", "vitest", "run", *VITEST)),
        ("node", ("node", "--test")),
        ("pytest", ("python", "-m", "pytest")),
        ("playwright", ("npx", "--no-install", "playwright", "test", "--reporter=list,junit,json")),
        ("cypress", ("npx", "--no-install", "cypress", "run", *CYPRESS)),
    ],
)
@pytest.mark.parametrize(
    "web_server", [(), ("gunicorn", "shop.contest:app"), ("node", "latest.js"), ("npm", "start")], ids=" ".join
)
def test_a_tool_without_a_command_starts_itself_and_not_the_web_server_of_the_image(
    tool: str, expected: tuple[str, ...], web_server: tuple[str, ...]
) -> None:
    assert started(image=ImageDefaults(web_server), tool=tool).command in (expected, expected[1:])
    found = started(image=ImageDefaults(web_server), tool=tool)
    assert (*(found.entrypoint or ()), *(found.command or ())) == expected


@pytest.mark.parametrize(
    ("tool", "own", "expected"),
    [
        ("jest", ("node_modules/.bin/jest", "--ci"), ("node_modules/.bin/jest", "--ci", *JEST)),
        ("jest", ("npm", "test"), ("npm", "test", "--", *JEST)),
        ("jest", ("/bin/sh", "-c", "npm run test:unit"), ("/bin/sh", "-c", f"npm run test:unit -- {SHELL_JEST}")),
        ("pytest", ("python", "-m", "pytest", "-x"), None),
        ("pytest", ("./run_tests.sh",), None),
        ("node", ("npm", "test"), None),
        ("node", ("node", "--test", "src"), None),
        ("command", ("serve",), None),
    ],
)
def test_the_images_own_command_is_used_when_it_is_one_of_tests(
    tool: str, own: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    assert started(image=ImageDefaults(own), tool=tool).command == expected


@pytest.mark.parametrize(
    ("image", "tool", "entrypoint", "command"),
    [
        (ImageDefaults(("-q",), ("pytest",)), "pytest", None, None),
        (ImageDefaults((), ("cypress", "run")), "cypress", None, CYPRESS),
        (ImageDefaults(("node",), ("docker-entrypoint.sh",)), "node", None, ("node", "--test")),
        (ImageDefaults(("start",), ("/usr/bin/tini", "--", "npm")), "node", ("node",), ("--test",)),
        (ImageDefaults(("npm",), ("/usr/bin/tini", "--")), "node", None, ("node", "--test")),
        (ImageDefaults((), ("gunicorn", "app")), "pytest", ("python",), ("-m", "pytest")),
        (ImageDefaults(("server.js",), ("node",)), "node", None, ("--test",)),
        (ImageDefaults((), ("/bin/sh", "-c", "npx jest")), "jest", ("/bin/sh",), ("-c", f"npx jest {SHELL_JEST}")),
    ],
)
def test_an_entry_point_of_the_image_does_not_swallow_the_tests(
    image: ImageDefaults, tool: str, entrypoint: tuple[str, ...] | None, command: tuple[str, ...] | None
) -> None:
    found = started(image=image, tool=tool)
    assert (found.entrypoint, found.command) == (entrypoint, command)


def test_the_command_of_a_compose_service_is_the_suites_own() -> None:
    service = ImageDefaults(("./all.sh",), chosen=True)
    assert started(image=service, tool="pytest").command is None


def test_a_tool_that_needs_to_know_what_to_run_says_so() -> None:
    with pytest.raises(Misconfigured, match=r"suites.unit.command: left out, and `serve`.*\n.*newman, run, collection"):
        started(image=ImageDefaults(("serve",)), tool="newman")


@pytest.mark.parametrize("own", [["make", "test"], ["sh", "-c", "npx jest a; npx jest b"], ["./check.sh"]])
def test_a_command_that_shows_no_way_for_arguments_runs_as_it_is_and_that_is_told(own: list[str]) -> None:
    found = started(SECOND_OF_THREE, tool="jest", command=own)
    assert found.command == tuple(own)
    assert "does not show how it passes on `--shard=2/3 --json" in found.remark
    assert "HEADWAY_TEST_ARGUMENTS" in found.remark


def test_a_script_can_read_the_arguments_itself() -> None:
    own = ["sh", "-c", 'make test JEST="$HEADWAY_TEST_ARGUMENTS"']
    found = started(SECOND_OF_THREE, tool="jest", command=own)
    assert (found.command, found.remark) == (tuple(own), "")
    assert found.env["HEADWAY_TEST_ARGUMENTS"] == f"--shard=2/3 {SHELL_JEST}"


@pytest.mark.parametrize(
    ("tool", "variable", "value"),
    [
        ("jest", "JEST_JUNIT_REPORT_TEST_SUITE_ERRORS", "true"),
        ("jest", "JEST_JUNIT_OUTPUT_DIR", "/reports"),
        ("pytest", "PYTEST_ADDOPTS", "--junitxml=/reports/pytest.xml --splits=3 --group=2"),
        ("node", "NODE_OPTIONS", f"{NODE} --test-shard=2/3"),
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
    assert started(SECOND_OF_THREE, tool=tool).env[variable] == value


@pytest.mark.parametrize("tool", ["cypress", "pytest"])
def test_a_suite_that_is_not_split_gets_no_shard(tool: str) -> None:
    found = started(tool=tool)
    assert "SPLIT" not in found.env
    assert "splits" not in found.env.get("PYTEST_ADDOPTS", "")


@pytest.mark.parametrize(("tool", "variable"), [("pytest", "PYTEST_ADDOPTS"), ("node", "NODE_OPTIONS")])
def test_options_of_the_image_or_of_the_suite_are_kept_beside_headways(tool: str, variable: str) -> None:
    image = ImageDefaults(env={variable: "--of-image"})
    headways = started(tool=tool).env[variable]
    assert started(tool=tool, image=image).env[variable] == f"--of-image {headways}"
    assert started(tool=tool, image=image, env={variable: "-x"}).env[variable] == f"-x {headways}"


def test_a_reporter_that_the_command_names_is_left_alone() -> None:
    found = started(tool="node", command=["node", "--test", "--test-reporter=tap"])
    assert "NODE_OPTIONS" not in found.env


def test_own_variables_win() -> None:
    assert started(tool="pytest", env={"CI": ""}).env["CI"] == ""


def test_axis_values_are_filled_into_command_and_variables() -> None:
    found = started(SECOND_OF_THREE, command=["node${node}"], env={"V": "v${node}"})
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
    found = started(**fields)
    assert (found.junit, found.junit_expected) == (junit, junit is not None)


def test_a_run_without_junit_is_explained_with_the_next_step() -> None:
    said = started(tool="jest", command=["make", "test"]).without_junit("looked for /reports/*.xml")
    assert said.startswith("looked for /reports/*.xml; `make test` does not show how it passes on `--json")
    assert "adds --json and --outputFile to a command that starts jest" in said
    assert said.endswith(
        "next: say with `junit` where the suite writes it, or with `tool: command` that the exit code alone counts"
    )
