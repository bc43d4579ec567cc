"""What came out of the cells of the test matrix."""

from typing import Literal

from pydantic import Field

from delivery.model import Model
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
