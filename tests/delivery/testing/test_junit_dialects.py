"""Reports in the dialects of runners: what fails is told, and what did not run is no test that passed."""

import json
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from delivery.testing.json_reports import junit_from, read_json
from delivery.testing.judging import judge
from delivery.testing.junit import read_junit
from delivery.testing.totals import Totals

CASES = Path(__file__).parent / "cases" / "junit"


def read(folder: Path, report: str | bytes) -> Totals:
    (folder / "r.xml").write_bytes(report if isinstance(report, bytes) else report.encode())
    return read_junit([folder / "r.xml"])


def counts(totals: Totals) -> tuple[int, ...]:
    return (totals.tests, totals.failures, totals.errors, totals.skipped, totals.flaky)


def outcome(totals: Totals) -> str:
    return judge(0, totals, junit_expected=True)[0]


def test_a_failing_test_outside_a_suite_is_told() -> None:
    totals = read_junit([CASES / "node-failing-beside-group.xml"])
    assert (counts(totals), totals.failing) == ((2, 1, 0, 0, 0), ("test: wrong",))


def test_tests_outside_a_suite_are_tests() -> None:
    totals = read_junit([CASES / "node-top-level.xml"])
    assert (counts(totals), outcome(totals)) == ((2, 0, 0, 0, 0), "passed")


def test_a_test_of_node_that_is_still_to_do_fails_nothing() -> None:
    totals = read_junit([CASES / "node-todo.xml"])
    assert (counts(totals), totals.failing) == ((8, 2, 0, 3, 0), ("test: wrong", "test/c.test.mjs"))


def test_a_file_that_vitest_cannot_read_is_told() -> None:
    totals = read_junit([CASES / "vitest.xml"])
    assert counts(totals) == (7, 3, 0, 2, 0)
    assert totals.failing[1:] == ("broken.test.mjs", "empty.test.mjs")


def test_tests_that_are_all_disabled_are_no_tests() -> None:
    totals = read_junit([CASES / "googletest-all-disabled.xml"])
    assert (counts(totals), outcome(totals)) == ((2, 0, 0, 2, 0), "no-tests")


@pytest.mark.parametrize(
    "case",
    [
        '<testcase name="a" status="notrun" result="suppressed"/>',
        '<testcase name="a" status="run" result="skipped"/>',
        '<testcase name="a" result="suppressed"/>',
        '<testcase name="a" status="disabled"/>',
        '<testcase name="a" status="Not Run"/>',
        '<testcase name="a" status="untested"/>',
        '<testcase name="a"><skipped/></testcase>',
        '<testcase name="a"><ignored/></testcase>',
        '<testcase name="a"><disabled/></testcase>',
    ],
)
def test_what_did_not_run_has_not_passed(tmp_path: Path, case: str) -> None:
    totals = read(tmp_path, f"<testsuites><testsuite>{case}</testsuite></testsuites>")
    assert (totals.tests, totals.skipped, outcome(totals)) == (1, 1, "no-tests")


@pytest.mark.parametrize("said", ['disabled="2"', 'skipped="2"', 'ignored="2"', 'skipped="1" disabled="1"'])
def test_what_only_the_suite_tells_of_tests_that_did_not_run_counts(tmp_path: Path, said: str) -> None:
    assert outcome(read(tmp_path, f'<testsuites tests="2" {said}/>')) == "no-tests"
    assert outcome(read(tmp_path, f'<testsuite tests="2" {said}/>')) == "no-tests"


def test_a_suite_that_counts_a_test_twice_as_not_run_hides_none_that_ran(tmp_path: Path) -> None:
    cases = '<testcase name="a"/><testcase name="b"><skipped/></testcase>'
    totals = read(tmp_path, f'<testsuite tests="2" skipped="1" disabled="1">{cases}</testsuite>')
    assert (counts(totals), outcome(totals)) == ((2, 0, 0, 1, 0), "passed")


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ('<testcase name="a" status="failed"/>', (1, 1, 0, 0, 0)),
        ('<testcase name="a" result="Error"/>', (1, 1, 0, 0, 0)),
        ('<testcase name="a"><failure/><error/></testcase>', (1, 1, 0, 0, 0)),
        ('<testcase name="a"><failure/><skipped/></testcase>', (1, 1, 0, 0, 0)),
        ('<testcase name="a"><failure/><rerunFailure/></testcase>', (1, 1, 0, 0, 0)),
        ('<testcase name="a"><rerunError/></testcase>', (1, 1, 0, 0, 0)),
        ('<testcase name="a"><flakyError/></testcase>', (1, 0, 0, 0, 1)),
        ('<testcase name="a"><flakyFailure/><rerunFailure/></testcase>', (1, 0, 0, 0, 1)),
        ('<testcase name="a" status="passed"/>', (1, 0, 0, 0, 0)),
        ('<testcase name="a" status="run" result="completed"/>', (1, 0, 0, 0, 0)),
        ('<testcase name="a"><system-out>&lt;failure/></system-out></testcase>', (1, 0, 0, 0, 0)),
    ],
)
def test_a_case_is_read_as_its_runner_means_it(tmp_path: Path, case: str, found: tuple[int, ...]) -> None:
    assert counts(read(tmp_path, f"<testsuite>{case}</testsuite>")) == found
    assert counts(read(tmp_path, case)) == found


@pytest.mark.parametrize(
    "report",
    [
        '<testsuite xmlns="urn:junit"><testcase name="a"><failure/></testcase></testsuite>',
        '<j:testsuite xmlns:j="urn:junit"><j:testcase name="a"><j:failure/></j:testcase></j:testsuite>',
        '<testsuites><testsuite><testsuite><testcase name="a"><failure/></testcase></testsuite></testsuite>'
        "</testsuites>",
        '\n\n<?xml version="1.0"?><testsuite><testcase name="a"><failure/></testcase></testsuite>',
        '<?xml version="1.1"?><testsuite><testcase name="a"><failure>\x01</failure></testcase></testsuite>',
        "<testsuite><testcase name='a'><failure>\x1b[31mred &#x1b;[0m &#27;\x00</failure></testcase></testsuite>",
    ],
    ids=["namespace", "prefix", "nested", "blank lines before", "XML 1.1", "control characters"],
)
def test_a_failure_is_found_however_the_document_is_written(tmp_path: Path, report: str) -> None:
    totals = read(tmp_path, report)
    assert (counts(totals), totals.failing) == ((1, 1, 0, 0, 0), ("a",))


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("iso-8859-1", "iso-8859-1"),
        ("windows-1252", "windows-1252"),
        ("shift_jis", "shift_jis"),
        ("utf-8", "iso-8859-1"),
    ],
)
def test_a_report_is_read_in_the_encoding_it_was_written_in(tmp_path: Path, encoding: str, written: str) -> None:
    name = "テスト" if encoding == "shift_jis" else "prüft"
    report = f'<?xml version="1.0" encoding="{encoding}"?><testsuite><testcase name="{name}"/></testsuite>'
    assert counts(read(tmp_path, report.encode(written))) == (1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("number", "meant"),
    [("1,234", 1234), ("1 234", 1234), ("2.0", 2), ("0.5", 1), ("", 0), ("-1", 0), ("1e3", 1000)],
)
def test_a_count_is_read_as_it_was_meant(tmp_path: Path, number: str, meant: int) -> None:
    assert read(tmp_path, f'<testsuite tests="{number}"/>').tests == meant
    assert read(tmp_path, f'<testsuite failures="{number}"/>').failures == meant


@pytest.mark.parametrize("number", ["many", "NaN", "inf"])
def test_a_count_that_is_no_number_is_an_error(tmp_path: Path, number: str) -> None:
    totals = read(tmp_path, f'<testsuite tests="{number}"/>')
    assert totals.failing == (f'r.xml cannot be read: tests="{number}" is no number',)


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ("<assemblies/>", "a report of xUnit.net"),
        ('<test-run total="3" failed="1"/>', "a report of NUnit"),
        ('<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"/>', "Visual Studio (TRX)"),
        ("<testng-results/>", "a report of TestNG"),
        ('<coverage line-rate="1"/>', "a report of coverage"),
        ("<html/>", "something else (<html>)"),
    ],
)
def test_another_kind_of_report_is_refused_by_its_name(tmp_path: Path, root: str, kind: str) -> None:
    totals = read(tmp_path, root)
    assert outcome(totals) == "failed"
    assert kind in totals.failing[0]
    assert totals.failing[0].endswith("not JUnit")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    totals = read(tmp_path, f'<!DOCTYPE t [<!ENTITY e0 "x">{bomb}]><testsuite name="&e9;"/>')
    assert "declares an entity (e0)" in totals.failing[0]


def test_a_report_with_much_output_is_read(tmp_path: Path) -> None:
    output = "x" * 20_000_000
    totals = read(tmp_path, f"<testsuite><testcase name='a'><system-out>{output}</system-out></testcase></testsuite>")
    assert counts(totals) == (1, 0, 0, 0, 0)


def test_jests_own_report_tells_failures_files_that_do_not_compile_and_flaky_tests() -> None:
    totals = read_json(CASES / "jest.json")
    assert counts(totals) == (5, 1, 2, 2, 1)
    assert totals.failing == (
        "app/broken.test.js did not run: Jest encountered an unexpected token",
        "app/empty.test.js did not run: Your test suite must contain at least one test.",
        "app/a.test.js: wrong",
    )


def test_vitests_own_report_tells_flaky_tests_beside_its_junit() -> None:
    both = read_json(CASES / "vitest.json").at_least(read_junit([CASES / "vitest.xml"]))
    assert counts(both) == (7, 3, 2, 2, 1)


def test_junit_is_made_of_jests_own_report(tmp_path: Path) -> None:
    made = junit_from(CASES / "jest.json")
    assert made is not None
    totals = read(tmp_path, made)
    assert counts(totals) == (7, 1, 2, 2, 1)
    suites = {suite.get("name"): [case.get("name") for case in suite] for suite in fromstring(made)}
    assert suites["/app/a.test.js"] == ["adds", "wrong", "group › later", "group › some day"]
    assert "Expected: \u0033" in made.decode()


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ({"testResults": [], "numTotalTests": 0, "success": True}, (0, 0, 0, 0, 0)),
        (
            {"testResults": [{"assertionResults": [{"status": "passed", "title": "a"}]}], "success": True},
            (1, 0, 0, 0, 0),
        ),
        (
            {"testResults": [{"assertionResults": [{"status": "passed", "title": "a"}]}], "success": False},
            (1, 0, 1, 0, 0),
        ),
        ({"testResults": [], "numFailedTests": 2, "numTotalTests": 2}, (2, 2, 0, 0, 0)),
        ({"testResults": [], "wasInterrupted": True}, (0, 0, 1, 0, 0)),
        ({"testResults": None}, (0, 0, 0, 0, 0)),
        ({"testResults": [None, {"assertionResults": None, "status": "failed"}]}, (0, 0, 1, 0, 0)),
    ],
)
def test_jests_own_report_is_believed_when_it_says_that_something_is_wrong(
    tmp_path: Path, report: dict[str, object], found: tuple[int, ...]
) -> None:
    (tmp_path / "jest.json").write_text(json.dumps(report))
    assert counts(read_json(tmp_path / "jest.json")) == found


def test_a_report_of_jest_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "jest.json").write_text('{"testResults": [')
    assert read_json(tmp_path / "jest.json").errors == 1
    assert junit_from(tmp_path / "jest.json") is None
