"""A cell on its way: what is needed to run it, and the result that is made of what it left behind."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from delivery.log_files import last_lines
from delivery.ports.cells import CellResult
from delivery.ports.jobs import BROWSER_SHM_BYTES, MAX_REPORT_BYTES, REPORTS, ImageDefaults, Job, JobResult, Reports
from delivery.redaction import Redaction
from delivery.spec.app import App
from delivery.spec.matrix import Cell
from delivery.spec.services import Part, Service
from delivery.spec.suites import Suite
from delivery.spec.variables import fill
from delivery.testing.json_reports import junit_from, read_json
from delivery.testing.judging import judge
from delivery.testing.junit import read_junit
from delivery.testing.runners import ToolCommand, tool_command
from delivery.testing.totals import Totals

NOT_RUN = (126, 127)  # what shells and init programs say of a command that is not there or is no program
MAX_OWN_REPORT_BYTES = 128_000_000
WITH_JSON = ("jest", "vitest", "playwright")


@dataclass(frozen=True)
class CellRun:
    """A cell with everything needed to run it; `made` stands for secrets that only environments have."""

    app: App
    cell: Cell
    images: Mapping[str, str]
    run: str
    log: Path
    report_dir: Path
    source: Path = Path()
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)
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

    @property
    def hide(self) -> Redaction:
        """What must not be in anything that is kept."""
        return Redaction(self.secrets.values())

    def image(self, name: str) -> str:
        """Return the reference of an image of the application, or the name itself."""
        return self.images.get(name, name)

    def log_of(self, role: str) -> Path:
        """Return where the log of a container beside the suite goes."""
        return self.log.with_name(f"{self.log.stem}-{role}{self.log.suffix}")

    def own_env(self, facts: Mapping[str, str | SecretStr]) -> dict[str, str]:
        """Return the suite's own variables, with the placeholders in them filled in."""
        where = f"headway.yaml: suites.{self.cell.suite}.env"
        env = {variable: self.cell.fill_axes(text) for variable, text in self.suite.env.items()}
        return fill(where, env, facts)

    def revealed(self) -> dict[str, str]:
        """Return the suite's secrets, and what was made, as variables: hand them to the engine and nowhere else."""
        return {**self.made, **{variable: secret.get_secret_value() for variable, secret in self.secrets.items()}}

    def revealed_to(self, part: Part, facts: Mapping[str, str | SecretStr]) -> dict[str, str]:
        """Return the variables that stand for the secrets of a part beside the suite, by the suite's word."""
        own = self.own_env(facts)
        given = {**{variable: own[variable] for variable in part.secrets if variable in own}, **self.revealed()}
        return given if isinstance(part, Service) else {name: given[name] for name in part.secrets if name in given}

    def tool(self, facts: Mapping[str, str | SecretStr], image: ImageDefaults) -> ToolCommand:
        """Return how the suite is started, with the placeholders in its variables filled in."""
        filled = self.suite.model_copy(update={"env": self.own_env(facts)})
        return tool_command(filled, self.cell, image)

    def job(self, name: str, image: str, tool: ToolCommand, variables: Mapping[str, str]) -> Job:
        """Return the suite as a job called `name`; an earlier attempt may have left reports, which go."""
        shutil.rmtree(self.report_dir, ignore_errors=True)
        reports = {} if tool.junit is None else {tool.junit: MAX_REPORT_BYTES}
        if reports and self.suite.tool in WITH_JSON:  # coverage may stand in it as well
            reports[f"{REPORTS}/{self.suite.tool}.json"] = MAX_OWN_REPORT_BYTES
        return Job(
            name=name,
            image=image,
            run=self.run,
            log=self.log,
            command=tool.command,
            entrypoint=tool.entrypoint,
            env={**variables, **tool.env, **self.made},
            secrets=self.secrets,
            timeout_seconds=self.suite.timeout_seconds,
            shm_bytes=BROWSER_SHM_BYTES,
            reports=reports,
            report_dir=self.report_dir,
        )

    def ended(self, ended: JobResult, tool: ToolCommand) -> CellResult:
        """Return the result of a suite that ran as a job."""
        exit_code, reports = ended.exit_code, self._collected(ended)
        junit = tuple(reports.names)
        totals = self._totals(junit)
        outcome, problem = judge(exit_code or 0, totals if junit else None, junit_expected=tool.junit_expected)
        if tool.junit_expected and not junit:
            problem = f"{problem}; {tool.without_junit(reports.looked)}"
        if reports.problem and outcome != "failed":
            outcome, problem = "error", f"headway.yaml: suites.{self.cell.suite}.junit: {reports.problem}"
        if exit_code is None:
            outcome, problem = "timed-out", f"did not end within {self.suite.timeout_seconds} s"
        elif exit_code in NOT_RUN and not junit:
            said = last_lines(self.log, 1) or f"exit code {exit_code}"
            outcome, problem = "error", f"the command {tool.shown} could not be run: {said}"
        return CellResult(
            cell=self.cell,
            outcome=outcome,
            problem=self.hide.text(problem),
            seconds=round(time.monotonic() - self.started, 3),
            exit_code=exit_code,
            last_lines=last_lines(self.log),
            log=str(self.log),
            junit=junit,
            junit_found=bool(junit),
            remarks=tuple(remark for remark in (tool.remark, ended.remark, _left(reports)) if remark),
            **totals.model_dump(exclude={"failing"}),
            failing=totals.failing[:20],
        )

    def not_run(self, problem: str) -> CellResult:
        """Return the result of a cell whose environment did not come up."""
        first, _, rest = self.hide.text(problem).partition("\n")
        return CellResult(
            cell=self.cell,
            outcome="error",
            problem=first,
            seconds=round(time.monotonic() - self.started, 3),
            last_lines=rest or last_lines(self.log),
            log=str(self.log),
        )

    def _collected(self, ended: JobResult) -> Reports:
        """Return what JUnit there is, without secrets in it; a runner's own report may stand in for it."""
        if not ended.reports:
            return Reports()
        found, own = ended.reports[0], self.report_dir / f"{self.suite.tool}.json"
        found.problem = found.problem or "".join(more.problem for more in ended.reports[1:])
        if self.suite.tool == "jest" and not found.names and own.exists() and (junit := junit_from(own)):
            (self.report_dir / "jest.xml").write_bytes(junit)
            found.names.append("jest.xml")
        for path in self.report_dir.rglob("*"):
            if path.is_file():
                self.hide.file(path)
        return found

    def _totals(self, junit: tuple[str, ...]) -> Totals:
        """Return what JUnit says, and the runner's own report where it says more."""
        totals = read_junit(self.report_dir / name for name in junit)
        if self.suite.tool in WITH_JSON:
            for path in sorted(self.report_dir.glob(f"{self.suite.tool}.json")):
                own = read_json(path)
                totals = totals.plus(own) if self.suite.tool == "playwright" else own.at_least(totals)
        return totals


def _left(reports: Reports) -> str:
    names = ", ".join(reports.stale[:3])
    return f"{names} is older than the cell and was not read: it came with the image" if names else ""
