"""A cell on its way: what is needed to run it, and the result that is made of what it left behind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.app import App, Suite
from delivery.containers.outcome import copy_out, last_lines
from delivery.junit import judge, read_junit
from delivery.matrix import Cell, CellResult
from delivery.runners import REPORTS, ToolCommand, tool_command
from delivery.variables import fill

NOT_RUN = (126, 127)  # what shells and init programs say of a command that is not there or is no program


@dataclass(frozen=True)
class Job:
    """A cell with everything needed to run it."""

    app: App
    cell: Cell
    images: Mapping[str, str]
    log: Path
    report_dir: Path
    source: Path = Path()
    started: float = field(default_factory=time.monotonic)

    @property
    def suite(self) -> Suite:
        """The suite the cell belongs to."""
        return self.app.suites[self.cell.suite]

    @property
    def suite_image(self) -> str:
        """What the suite runs in."""
        if self.suite.image is None:
            return self.images[f"suite-{self.cell.suite}"]
        return self.image(self.cell.fill_axes(self.suite.image))

    def image(self, name: str) -> str:
        """Return the reference of an image of the application, or the name itself."""
        return self.images.get(name, name)

    def log_of(self, role: str) -> Path:
        """Return where the log of a container beside the suite goes."""
        return self.log.with_name(f"{self.log.stem}-{role}{self.log.suffix}")

    def tool(self, facts: Mapping[str, str | SecretStr], image_command: list[str]) -> ToolCommand:
        """Return how the suite is started, with the placeholders in its variables filled in."""
        where = f"headway.yaml: suites.{self.cell.suite}.env"
        env = {variable: self.cell.fill_axes(text) for variable, text in self.suite.env.items()}
        filled = self.suite.model_copy(update={"env": fill(where, env, facts)})
        return tool_command(filled, self.cell, image_command)

    def ended(self, exit_code: int | None, junit: tuple[str, ...], tool: ToolCommand) -> CellResult:
        """Return the result of a suite that ran; `exit_code` is none when its time was over."""
        flaky = self.report_dir.glob("*.json") if self.suite.tool == "playwright" else ()
        totals = read_junit([*(self.report_dir / name for name in junit), *flaky])
        outcome, problem = judge(exit_code or 0, totals if junit else None, junit_expected=tool.junit_expected)
        if exit_code is None:
            outcome, problem = "timed-out", f"did not end within {self.suite.timeout_seconds} s"
        elif exit_code in NOT_RUN and not junit:
            said = last_lines(self.log, 1) or f"exit code {exit_code}"
            outcome, problem = "error", f"the command {' '.join(tool.command or ())} could not be run: {said}"
        return CellResult(
            cell=self.cell,
            outcome=outcome,
            problem=problem,
            seconds=round(time.monotonic() - self.started, 3),
            exit_code=exit_code,
            last_lines=last_lines(self.log),
            log=str(self.log),
            junit=junit,
            junit_found=bool(junit),
            **totals.model_dump(exclude={"failing"}),
            failing=totals.failing[:20],
        )

    def not_run(self, problem: str) -> CellResult:
        """Return the result of a cell whose environment did not come up."""
        first, _, rest = problem.partition("\n")
        return CellResult(
            cell=self.cell,
            outcome="error",
            problem=first,
            seconds=round(time.monotonic() - self.started, 3),
            last_lines=rest or last_lines(self.log),
            log=str(self.log),
        )


def collect_reports(container: Container, job: Job, tool: ToolCommand) -> tuple[str, ...]:
    """Copy the suite's reports out of its container and return the JUnit files among them."""
    if tool.junit is None:
        return ()
    found = copy_out(container, tool.junit, job.report_dir)
    if job.suite.tool == "playwright":
        copy_out(container, f"{REPORTS}/*.json", job.report_dir)
    return found
