"""Whether a suite that ended is a pass, and whether all cells together are."""

from collections.abc import Sequence

from delivery.counting import counted
from delivery.errors import Rejected
from delivery.ports.cells import CellResult, Outcome
from delivery.testing.totals import Totals

SHOWN_LINES = 12
NAMED_TESTS = 5


class CellFailed(Rejected):
    """A cell of the matrix that did not pass; the others run on, and its result counts with theirs."""

    def __init__(self, result: CellResult) -> None:
        super().__init__(_in_one_line(result))
        self.result = result

    def __reduce__(self) -> tuple[type["CellFailed"], tuple[CellResult]]:
        return type(self), (self.result,)


def judge(exit_code: int, totals: Totals | None, *, junit_expected: bool) -> tuple[Outcome, str]:
    """Return the outcome of a suite that ended, and why it is no pass.

    `totals` is none when there was no JUnit file. A pass needs exit code 0, no failure, no error, and, where JUnit
    is expected, at least one test that ran.
    """
    if totals is None:
        if exit_code:
            return "failed", f"exit code {exit_code}"
        return ("no-tests", "ended with exit code 0 but wrote no JUnit file") if junit_expected else ("passed", "")
    if totals.failures or totals.errors:
        found = f"{counted(totals.failures, 'failure')}, {counted(totals.errors, 'error')}"
        return "failed", f"{found}, exit code {exit_code}"
    if totals.ran <= 0:
        return "no-tests", f"no test ran ({totals.skipped} skipped), exit code {exit_code}"
    if exit_code:
        return "failed", f"exit code {exit_code}, although no test failed"
    return "passed", ""


def check_tests(results: Sequence[CellResult]) -> None:
    """Return when every cell passed; else raise Rejected with the cells that did not.

    Of each its first failing tests and the last lines it printed are told.

    No result at all means that headway.yaml has no suite for the matrix, which is the application's choice.
    """
    bad = [result for result in results if result.outcome != "passed"]
    if bad:
        lines = [f"tests: {len(bad)} of {counted(len(results), 'cell')} did not pass"]
        for result in bad:
            lines.append(f"  {_in_one_line(result)}")
            lines += [f"    ✗ {name}" for name in result.failing[:NAMED_TESTS]]
            lines += [f"    | {line}" for line in result.last_lines.splitlines()[-SHOWN_LINES:]]
        raise Rejected("\n".join(lines))


def _in_one_line(result: CellResult) -> str:
    return f"{result.cell.name}: {result.outcome}{f': {result.problem}' if result.problem else ''}"
