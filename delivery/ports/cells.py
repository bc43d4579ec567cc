"""Cells of the test matrix: what comes out of one, and what runs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, SecretStr

from delivery.model import Model
from delivery.releases.release import ImageRef
from delivery.spec.app import App
from delivery.spec.matrix import Cell

Outcome = Literal["passed", "failed", "no-tests", "timed-out", "error"]


class CellResult(Model):
    """What came out of a cell; anything but `passed` stops the release."""

    cell: Cell
    outcome: Outcome
    tests: int = Field(0, description="that ran or were skipped")
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    flaky: int = Field(0, description="failed, then passed on a retry")
    seconds: float = 0
    exit_code: int | None = Field(None, description="none: the suite never ended by itself")
    problem: str = Field("", description="why the outcome is not `passed`, in one line")
    failing: tuple[str, ...] = Field((), description="the first failing tests")
    last_lines: str = ""
    log: str = Field("", description="where the whole log is")
    junit: tuple[str, ...] = Field((), description="the JUnit files, relative to the report folder")
    junit_found: bool = Field(False, description="false with outcome `passed`: the exit code alone says so")
    remarks: tuple[str, ...] = Field((), description="what people should know although it decides nothing")


class Testbeds(Protocol):
    """Runs cells, each in an environment of its own."""

    def run_cell(
        self,
        app: App,
        cell: Cell,
        images: Mapping[str, ImageRef],
        *,
        source: Path,
        run: str,
        log: Path,
        report_dir: Path,
        secrets: Mapping[str, SecretStr],
    ) -> CellResult:
        """Run `cell` and return what came out; nothing of it is left.

        `images` maps the application's image names and `suite-<name>` to what was built. An environment that does not
        come up is the result `error`; only the place's own troubles are raised, and Misconfigured for what can never
        work.
        """
        ...
