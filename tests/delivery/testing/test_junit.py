"""What a test report says in all, as the runners write it, traps included."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.errors import Rejected
from delivery.ports.cells import CellResult
from delivery.spec.matrix import Cell
from delivery.testing.json_reports import read_json
from delivery.testing.judging import check_tests, judge
from delivery.testing.junit import read_junit
from delivery.testing.totals import Totals

PYTEST = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1"
failures="1" skipped="2" tests="5" time="0.05" timestamp="2026-03-04T12:00:00" hostname="cell">
<testcase classname="test_cart.TestCart" name="test_add[one]" time="0.001" />
<testcase classname="test_cart" name="test_remove" time="0.001"><failure message="assert 1">trace</failure></testcase>
<testcase classname="test_cart" name="test_price" time="0.001"><error message="failed on setup">trace</error></testcase>
<testcase classname="test_cart" name="test_later" time="0.001"><skipped type="pytest.skip" message="later" /></testcase>
<testcase classname="test_cart" name="test_known" time="0.001"><skipped type="pytest.xfail" message="#7" /></testcase>
</testsuite></testsuites>"""
PYTEST_NONE = """<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="0" tests="0"
time="0.003" timestamp="2026-03-04T12:00:00" hostname="cell" /></testsuites>"""
JEST = """<testsuites name="jest tests" tests="2" failures="0" errors="1" time="0.9">
<testsuite name="test/cart.test.js" errors="0" failures="0" skipped="0" time="0.2" tests="2">
<testcase classname="cart" name="adds" time="0.002"></testcase><testcase classname="cart" name="removes" time="0.001">
</testcase></testsuite>
<testsuite name="test/broken.test.js" errors="1" failures="0" skipped="0" time="0" tests="0"/></testsuites>"""
NEWMAN = """<testsuites name="shop" tests="2" time="0.1">
<testsuite name="Cart / read" timestamp="2026-03-04T12:00:00Z" tests="1" failures="0" errors="0" time="0.01">
<testcase name="answers 200" time="0.01" classname="CartRead"/></testsuite>
<testsuite name="Cart / write" timestamp="2026-03-04T12:00:00Z" tests="0" failures="0" errors="1" time="0">
<system-err><![CDATA[connect ECONNREFUSED 127.0.0.1:3000]]></system-err></testsuite></testsuites>"""
CYPRESS = """<testsuites name="Mocha Tests" time="1.2" tests="2" failures="1" skipped="1">
<testsuite name="Root Suite" timestamp="2026-03-04T12:00:00" tests="0" file="shop.cy.js" time="0" failures="0">
</testsuite><testsuite name="shop" timestamp="2026-03-04T12:00:00" tests="3" time="1.2" failures="1" skipped="1">
<testcase name="shop lists" time="0.3" classname="lists"></testcase>
<testcase name="shop buys" time="0.000" classname="buys"><failure message="expected 1" type="E"/></testcase>
</testsuite></testsuites>"""
RETRIED = """<testsuite name="surefire" tests="1" failures="0" errors="0"><testcase classname="Cart" name="adds">
<flakyFailure message="timed out" type="E">trace</flakyFailure></testcase></testsuite>"""


def read(folder: Path, *reports: str) -> Totals:
    paths = [folder / f"{number}.xml" for number in range(len(reports))]
    for path, text in zip(paths, reports, strict=True):
        path.write_text(text)
    return read_junit(paths)


def counts(totals: Totals) -> tuple[int, ...]:
    return (totals.tests, totals.failures, totals.errors, totals.skipped, totals.flaky)


@pytest.mark.parametrize(
    ("report", "found", "failing"),
    [
        (PYTEST, (5, 1, 1, 2, 0), ("test_cart: test_remove", "test_cart: test_price")),
        (PYTEST_NONE, (0, 0, 0, 0, 0), ()),
        (JEST, (2, 0, 1, 0, 0), ("test/broken.test.js (no test case says why)",)),
        (NEWMAN, (2, 0, 1, 0, 0), ("Cart / write (no test case says why)",)),
        (CYPRESS, (3, 1, 0, 1, 0), ("shop buys",)),
        (RETRIED, (1, 0, 0, 0, 1), ()),
    ],
    ids=["pytest", "pytest without tests", "jest", "newman", "cypress", "surefire"],
)
def test_a_report_is_read_as_its_runner_means_it(
    tmp_path: Path, report: str, found: tuple[int, ...], failing: tuple[str, ...]
) -> None:
    totals = read(tmp_path, report)
    assert (counts(totals), totals.failing) == (found, failing)


@pytest.mark.parametrize(
    "report",
    [
        '<testsuite name="a" failures="1"><testcase name="t"/></testsuite>',
        '<testsuite name="a" errors="1"><testcase name="t"/></testsuite>',
        '<testsuites errors="1"><testsuite name="a"><testcase name="t"/></testsuite></testsuites>',
        '<testsuites><testsuite><testsuite failures="1"/><testcase name="t"/></testsuite></testsuites>',
    ],
)
def test_a_failure_that_only_an_attribute_tells_is_kept_when_other_attributes_are_absent(
    tmp_path: Path, report: str
) -> None:
    totals = read(tmp_path, report)
    assert (totals.tests, totals.failures + totals.errors) == (1, 1)


def test_the_reports_of_a_cell_are_added_up(tmp_path: Path) -> None:
    assert counts(read(tmp_path, PYTEST, NEWMAN, CYPRESS)) == (10, 2, 2, 3, 0)


def test_a_test_that_passed_on_a_retry_is_counted_from_the_only_report_that_tells(tmp_path: Path) -> None:
    (tmp_path / "playwright.json").write_text(json.dumps({"stats": {"expected": 3, "flaky": 2, "unexpected": 0}}))
    assert counts(read_json(tmp_path / "playwright.json")) == (0, 0, 0, 0, 2)


@pytest.mark.parametrize("text", ["null", "[]", '{"stats": null}', '{"stats": []}', '{"stats": {"flaky": null}}'])
def test_a_report_without_figures_tells_of_no_retry(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    assert counts(read_json(tmp_path / "other.json")) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<testsuites><testsuite",
        "<html/>",
        '<testsuites><testsuite name="a" tests="many"/></testsuites>',
        '<?xml version="1.0" encoding="none"?><testsuites/>',
        "<testsuites>" + "<testsuite>" * 3000 + "</testsuite>" * 3000 + "</testsuites>",
    ],
    ids=["empty", "cut off", "of something else", "without numbers", "in no encoding", "too deep"],
)
def test_a_report_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    totals = read(tmp_path, PYTEST_NONE, text)
    assert totals.errors == 1
    assert totals.failing[0].startswith("1.xml cannot be read: ")


def test_a_report_that_vanished_is_an_error(tmp_path: Path) -> None:
    assert read_junit([tmp_path / "gone.xml"]).errors == 1


@pytest.mark.parametrize(
    ("exit_code", "report", "outcome"),
    [
        (0, PYTEST, ("failed", "1 failure, 1 error, exit code 0")),
        (0, JEST, ("failed", "0 failures, 1 error, exit code 0")),
        (0, PYTEST_NONE, ("no-tests", "no test ran (0 skipped), exit code 0")),
        (5, PYTEST_NONE, ("no-tests", "no test ran (0 skipped), exit code 5")),
        (0, RETRIED, ("passed", "")),
        (1, RETRIED, ("failed", "exit code 1, although no test failed")),
    ],
)
def test_a_pass_needs_every_witness(tmp_path: Path, exit_code: int, report: str, outcome: tuple[str, str]) -> None:
    assert judge(exit_code, read(tmp_path, report), junit_expected=True) == outcome


def test_tests_that_were_all_skipped_are_no_tests() -> None:
    totals = Totals(tests=3, skipped=3)
    assert judge(0, totals, junit_expected=True) == ("no-tests", "no test ran (3 skipped), exit code 0")


@pytest.mark.parametrize(
    ("exit_code", "expected", "outcome"),
    [
        (0, False, ("passed", "")),
        (3, False, ("failed", "exit code 3")),
        (3, True, ("failed", "exit code 3")),
        (0, True, ("no-tests", "ended with exit code 0 but wrote no JUnit file")),
    ],
)
def test_without_a_report_the_exit_code_speaks_only_where_none_was_due(
    exit_code: int, expected: bool, outcome: tuple[str, str]
) -> None:
    assert judge(exit_code, None, junit_expected=expected) == outcome


@given(st.integers(0, 255), st.tuples(*[st.integers(0, 3)] * 4), st.booleans())
def test_nothing_passes_with_a_failure_an_exit_code_or_no_test(
    exit_code: int, numbers: tuple[int, ...], expected: bool
) -> None:
    tests, failures, errors, skipped = numbers
    totals = Totals(tests=tests, failures=failures, errors=errors, skipped=skipped)
    outcome, reason = judge(exit_code, totals, junit_expected=expected)
    assert (outcome == "passed") == (exit_code == 0 and not failures and not errors and tests > skipped)
    assert (outcome == "passed") == (reason == "")


def test_a_matrix_with_a_bad_cell_is_rejected_with_its_first_failing_tests_and_its_last_lines() -> None:
    good = CellResult(cell=Cell(suite="unit"), outcome="passed")
    failing = tuple(f"test {number}" for number in range(9))
    bad = CellResult(
        cell=Cell(suite="api", axes={"node": "22"}),
        outcome="failed",
        problem="9 failures",
        failing=failing,
        last_lines="\n".join(f"line {number}" for number in range(20)),
    )
    with pytest.raises(Rejected) as caught:
        check_tests([good, bad])
    assert str(caught.value).splitlines() == [
        "tests: 1 of 2 cells did not pass",
        "  api[node=22]: failed: 9 failures",
        *(f"    ✗ test {number}" for number in range(5)),
        *(f"    | line {number}" for number in range(8, 20)),
    ]


@pytest.mark.parametrize("outcome", ["failed", "no-tests", "timed-out", "error"])
def test_only_passed_is_a_pass(outcome: str) -> None:
    with pytest.raises(Rejected, match=f"unit: {outcome}"):
        check_tests([CellResult(cell=Cell(suite="unit"), outcome=outcome)])  # type: ignore[arg-type]


def test_an_application_without_suites_has_nothing_to_fail() -> None:
    check_tests([])
