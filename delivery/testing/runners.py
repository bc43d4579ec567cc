"""What Headway knows of test runners: how each is started, takes a shard, and writes its report."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from delivery.errors import Misconfigured
from delivery.ports.jobs import REPORTS, ImageDefaults
from delivery.spec.matrix import Cell
from delivery.spec.suites import Suite
from delivery.testing.arguments import VARIABLE, Program, is_test_command, starts, with_arguments

# Entry points that run what they are given.
PASS_ON = ("entrypoint", "tini", "dumb-init")


@dataclass(frozen=True)
class Runner:
    """A test runner: `default` starts it, `report` makes it write its report, `shard` makes it run a part.

    What it takes by a variable instead of arguments is `options` in `options_variable`. An application that says
    one of `chosen` in its command has chosen a report itself.
    """

    program: Program
    default: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    shard: tuple[str, ...] = ()
    options_variable: str = ""
    options: str = ""
    shard_options: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    shard_env: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""

    def arguments(self, cell: Cell, command: Sequence[str]) -> tuple[str, ...]:
        """Return what is added to `command`."""
        shard = tuple(self._of(cell, part) for part in self.shard) if cell.shards > 1 else ()
        return (*shard, *(() if _says(command, self.chosen) else self.report))

    def variables(self, cell: Cell, command: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
        """Return the variables it gets, with the options that stand in `given` kept."""
        env = {**self.env, **(self.shard_env if cell.shards > 1 else {})}
        if self.options_variable:
            own = "" if _says(command, self.chosen) else self.options
            parts = [given.get(self.options_variable, ""), own, self.shard_options if cell.shards > 1 else ""]
            env[self.options_variable] = " ".join(part for part in parts if part)
        return {variable: self._of(cell, text) for variable, text in env.items() if text}

    @staticmethod
    def _of(cell: Cell, text: str) -> str:
        known = {"SHARD": cell.shard, "SHARDS": cell.shards, "INDEX": cell.shard - 1}
        for name, number in known.items():
            text = text.replace(f"<{name}>", str(number))
        return text


@dataclass(frozen=True)
class ToolCommand:
    """How a suite is started in a cell; `command` and `entrypoint` are none when the image's own are right."""

    command: tuple[str, ...] | None
    env: Mapping[str, str]
    junit: str | None
    entrypoint: tuple[str, ...] | None = None
    shown: str = ""
    remark: str = ""
    needs: str = ""

    @property
    def junit_expected(self) -> bool:
        """Whether a run without a JUnit file counts as a run without tests."""
        return self.junit is not None

    def without_junit(self, where: str) -> str:
        """Return what to do about a run that left no JUnit file; `where` says what was looked for and found."""
        ways = "say with `junit` where the suite writes it, or with `tool: command` that the exit code alone counts"
        parts = [where, self.remark, self.needs, f"next: {ways}"]
        return "; ".join(part for part in parts if part)


def tool_command(suite: Suite, cell: Cell, image: ImageDefaults | None = None) -> ToolCommand:
    """Return command, variables and JUnit glob for `cell`; the suite's own variables win over the tool's.

    Without a command of the suite the image's own is taken when it is one of tests, else the tool's. Raises
    Misconfigured when neither is known.
    """
    image, runner = image or ImageDefaults(), RUNNERS.get(suite.tool)
    own = {variable: cell.fill_axes(text) for variable, text in suite.env.items()}
    before = _argv(suite, cell, image, runner)
    arguments = runner.arguments(cell, before) if runner else ()
    after = with_arguments(before, arguments, runner.program) if runner and before else before
    changed = before if after is None else after
    env = runner.variables(cell, before, {**image.env, **own}) if runner else {}
    merged = {variable: text for variable, text in env.items() if runner and variable == runner.options_variable}
    given = {VARIABLE: shlex.join(arguments)} if runner else {}
    entrypoint, command = _apart(changed, image)
    return ToolCommand(
        command=command,
        entrypoint=entrypoint,
        env={"CI": "true", **cell.variables, **env, **given, **own, **merged},
        junit=suite.junit or (f"{REPORTS}/*.xml" if runner else None),
        shown=shlex.join(changed),
        remark=_lost(before, arguments) if after is None else "",
        needs=runner.needs if runner else "",
    )


def _argv(suite: Suite, cell: Cell, image: ImageDefaults, runner: Runner | None) -> tuple[str, ...]:
    """Return the whole command line of the suite, before anything is added to it."""
    if suite.command is not None:
        return (*image.entrypoint, *(cell.fill_axes(part) for part in suite.command))
    if runner is None or image.chosen or starts(image.argv, runner.program) or is_test_command(image.argv):
        return image.argv
    if not runner.default:
        raise Misconfigured(
            f"headway.yaml: suites.{cell.suite}.command",
            f"left out, and `{shlex.join(image.argv)}`, which the image runs by itself, does not start {suite.tool}",
            next_step=f"say what to run: {runner.needs}",
        )
    return (*image.entrypoint, *runner.default) if _passes_on(image.entrypoint) else runner.default


def _passes_on(entrypoint: Sequence[str]) -> bool:
    """Tell whether an entry point runs what it is given, and names no program itself."""
    if not entrypoint or not all(word.startswith("-") for word in entrypoint[1:]):
        return False
    return any(name in entrypoint[0].rpartition("/")[2] for name in PASS_ON)


def _apart(argv: tuple[str, ...], image: ImageDefaults) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return entry point and command of a container that runs `argv`; none for what the image says itself."""
    if argv == image.argv or not argv:
        return None, None
    head = len(image.entrypoint)
    if argv[:head] == image.entrypoint and len(argv) > head:
        return None, argv[head:]
    return argv[:1], argv[1:]


def _lost(command: Sequence[str], arguments: Sequence[str]) -> str:
    return (
        f"`{shlex.join(command)}` does not show how it passes on `{shlex.join(arguments)}`: "
        f"name the tool itself in `command`, or let it read {VARIABLE}"
    )


def _says(command: Sequence[str], options: Sequence[str]) -> bool:
    words = [word for part in command for word in part.split()]
    return any(word == option or word.startswith(f"{option}=") for word in words for option in options)


_JEST_JUNIT = {  # for applications that write JUnit themselves, with jest-junit
    "JEST_JUNIT_OUTPUT_DIR": REPORTS,
    "JEST_JUNIT_OUTPUT_NAME": "jest.xml",
    "JEST_JUNIT_REPORT_TEST_SUITE_ERRORS": "true",  # else a file that does not compile counts as nothing
    "JEST_JUNIT_SUITE_NAME": "{filepath}",
    "JEST_JUNIT_CLASSNAME": "{classname}",
    "JEST_JUNIT_TITLE": "{title}",
    "JEST_JUNIT_ADD_FILE_ATTRIBUTE": "true",
}
_SHARD = ("--shard=<SHARD>/<SHARDS>",)
RUNNERS: Mapping[str, Runner] = {
    "jest": Runner(
        program=Program(("jest", "react-scripts", "craco")),
        default=("npx", "--no-install", "jest"),
        report=("--json", f"--outputFile={REPORTS}/jest.json"),
        chosen=("--outputFile",),
        shard=_SHARD,
        env=_JEST_JUNIT,
        needs="Headway adds --json and --outputFile to a command that starts jest",
    ),
    "vitest": Runner(
        program=Program(("vitest",)),
        default=("npx", "--no-install", "vitest", "run"),
        report=(
            *("--reporter=default", "--reporter=junit", "--reporter=json"),
            *(f"--outputFile.junit={REPORTS}/vitest.xml", f"--outputFile.json={REPORTS}/vitest.json"),
        ),
        chosen=("--reporter", "--outputFile"),
        shard=_SHARD,
        needs="Headway adds --reporter and --outputFile to a command that starts vitest",
    ),
    "node": Runner(
        program=Program(("node", "nodejs", "tsx"), "--test"),
        default=("node", "--test"),
        chosen=("--test-reporter", "--test-reporter-destination"),
        options_variable="NODE_OPTIONS",
        options=(
            "--test-reporter=spec --test-reporter-destination=stdout "
            f"--test-reporter=junit --test-reporter-destination={REPORTS}/node.xml"
        ),
        shard_options="--test-shard=<SHARD>/<SHARDS>",
        needs="Node 20 or newer writes it when the script itself names no --test-reporter",
    ),
    "pytest": Runner(
        program=Program(("pytest", "py.test")),
        default=("python", "-m", "pytest"),
        options_variable="PYTEST_ADDOPTS",
        options=f"--junitxml={REPORTS}/pytest.xml",
        shard_options="--splits=<SHARDS> --group=<SHARD>",
        needs="pytest writes it unless it did not start; shards need pytest-split in the image",
    ),
    "newman": Runner(
        program=Program(("newman",), "run"),
        report=("-r", "cli,junit", "--reporter-junit-export", f"{REPORTS}/newman.xml"),
        chosen=("-r", "--reporters"),
        needs="a command like [newman, run, collection.json]",
    ),
    "playwright": Runner(
        program=Program(("playwright",), "test"),
        default=("npx", "--no-install", "playwright", "test"),
        report=("--reporter=list,junit,json",),
        chosen=("--reporter",),
        shard=_SHARD,
        env={
            "PLAYWRIGHT_JUNIT_OUTPUT_NAME": f"{REPORTS}/playwright.xml",
            "PLAYWRIGHT_JSON_OUTPUT_NAME": f"{REPORTS}/playwright.json",  # the only report that tells flaky tests
        },
        needs="Headway adds --reporter to a command that starts playwright test",
    ),
    "cypress": Runner(
        program=Program(("cypress",), "run"),
        default=("npx", "--no-install", "cypress", "run"),
        report=("--reporter", "junit", "--reporter-options", f"mochaFile={REPORTS}/cypress-[hash].xml,toConsole=false"),
        chosen=("-r", "--reporter"),
        env={"ELECTRON_EXTRA_LAUNCH_ARGS": "--no-sandbox --disable-gpu"},
        shard_env={"SPLIT": "<SHARDS>", "SPLIT_INDEX": "<INDEX>"},
        needs="Headway adds --reporter to a command that starts cypress run",
    ),
}
