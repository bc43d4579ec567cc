"""JUnit files: what they say in all, and whether that is a pass.

Totals come from the suites' own attributes as well as from the test cases, whichever is more: some runners report
an error only as an attribute, others only as a case.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from junitparser import Element, Error, Failure, JUnitXml, JUnitXmlError, TestCase, TestSuite
from pydantic import Field

from delivery.errors import Rejected
from delivery.matrix import CellResult, Outcome
from delivery.model import Model

SHOWN_LINES = 12
NAMED_TESTS = 5


class FlakyFailure(Element):
    """A failure that a retry made good, as Surefire and its followers write it."""

    _tag = "flakyFailure"


class FlakyError(Element):
    """An error that a retry made good."""

    _tag = "flakyError"


class Totals(Model):
    """What JUnit files say in all."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    flaky: int = Field(0, description="failed, then passed on a retry")
    failing: tuple[str, ...] = Field((), description="failing tests by name")

    @property
    def ran(self) -> int:
        """Tests that ran, whatever came out."""
        return self.tests - self.skipped

    def plus(self, other: "Totals") -> "Totals":
        """Return the sum of both."""
        counts = {key: getattr(self, key) + getattr(other, key) for key in Totals.model_fields}
        return Totals.model_validate(counts)


def read_junit(files: Iterable[Path]) -> Totals:
    """Return the totals of all `files`; one that cannot be read counts as an error. Playwright's JSON may be among."""
    totals = Totals()
    for path in files:
        try:
            totals = totals.plus(_flaky(path) if path.suffix == ".json" else _whole(JUnitXml.fromfile(str(path))))
        except (JUnitXmlError, ParseError, ValueError, LookupError, RecursionError, OSError) as error:
            totals = totals.plus(Totals(errors=1, failing=(f"{path.name} cannot be read: {error}",)))
    return totals


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
        return "failed", f"{totals.failures} failures, {totals.errors} errors, exit code {exit_code}"
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
        lines = [f"tests: {len(bad)} of {len(results)} cells did not pass"]
        for result in bad:
            lines.append(f"  {result.cell.name}: {result.outcome}{f': {result.problem}' if result.problem else ''}")
            lines += [f"    ✗ {name}" for name in result.failing[:NAMED_TESTS]]
            lines += [f"    | {line}" for line in result.last_lines.splitlines()[-SHOWN_LINES:]]
        raise Rejected("\n".join(lines))


def _whole(document: JUnitXml) -> Totals:
    suites = [_of_suite(suite) for suite in document]
    inside = Totals()
    for suite in suites:
        inside = inside.plus(suite)
    return _at_least(inside, document)


def _of_suite(suite: TestSuite) -> Totals:
    inside = Totals()
    for case in _children(suite, TestCase):
        inside = inside.plus(_of_case(case))
    for nested in _children(suite, TestSuite):
        inside = inside.plus(_of_suite(nested))
    whole = _at_least(inside, suite)
    silent = whole.failures + whole.errors - inside.failures - inside.errors
    return whole.plus(Totals(failing=(f"{suite.name or 'a suite'} (no test case says why)",))) if silent > 0 else whole


def _of_case(case: TestCase) -> Totals:
    retried = any([*_children(case, FlakyFailure), *_children(case, FlakyError)])
    bad = [result for result in case.result if isinstance(result, Failure | Error)]
    return Totals(
        tests=1,
        failures=int(any(isinstance(result, Failure) for result in bad)),
        errors=int(bool(bad) and all(isinstance(result, Error) for result in bad)),
        skipped=int(case.is_skipped),
        flaky=int(retried and not bad),
        failing=(_name(case),) if bad else (),
    )


def _at_least(counted: Totals, said: JUnitXml | TestSuite) -> Totals:
    """Return `counted`, raised to what the element's own attributes say.

    They are read as they stand in the file: junitparser recounts all of them when it is asked for one that is absent,
    and forgets the errors without a case.
    """
    attributes = said._elem.attrib
    keys = ("tests", "failures", "errors", "skipped")
    return counted.model_copy(update={key: max(getattr(counted, key), int(attributes.get(key) or 0)) for key in keys})


def _children(element: Element, kind: type[Element]) -> list[Any]:
    return list(element.iterchildren(kind))  # type: ignore[no-untyped-call]


def _name(case: TestCase) -> str:
    if not case.classname or case.classname in (case.name or ""):
        return str(case.name)
    return f"{case.classname}: {case.name}"


def _flaky(path: Path) -> Totals:
    report = json.loads(path.read_text())
    stats = report.get("stats") if isinstance(report, dict) else None
    count = stats.get("flaky") if isinstance(stats, dict) else None
    return Totals(flaky=count if isinstance(count, int) and count > 0 else 0)
