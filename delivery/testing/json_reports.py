"""Reports in the runners' own JSON: those of Jest and Vitest hold all there is, Playwright's the flaky tests."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from delivery.testing.totals import Totals

SKIPPED = ("pending", "skipped", "todo", "disabled")
_NO_TEXT = re.compile("\x1b\\[[0-9;]*m|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_json(path: Path) -> Totals:
    """Return what the report says; Playwright's only tells how many tests were flaky.

    One that cannot be read counts as an error.
    """
    try:
        report = _load(path)
    except (ValueError, OSError, RecursionError) as error:
        return Totals(errors=1, failing=(f"{path.name} cannot be read: {error}",))
    if "testResults" in report:
        return _of_jest(report)
    count = _dict(report.get("stats")).get("flaky")
    return Totals(flaky=count if isinstance(count, int) and count > 0 else 0)


def junit_from(path: Path) -> bytes | None:
    """Return the report of Jest as JUnit; none when it is no such report."""
    try:
        report = _load(path)
    except (ValueError, OSError, RecursionError):
        return None
    if "testResults" not in report:
        return None
    root = Element("testsuites", name="jest")
    for file in _dicts(report["testResults"]):
        tests = list(_dicts(file.get("assertionResults")))
        suite = SubElement(root, "testsuite", name=_text(file.get("name")), tests=str(len(tests)))
        if _broken(file):
            SubElement(suite, "testcase", name="the file")
            SubElement(suite[-1], "error").text = _text(file.get("message"))
        for test in tests:
            suite.append(_case(_text(file.get("name")), test))
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _of_jest(report: dict[str, Any]) -> Totals:
    tests = [(file, test) for file in _dicts(report["testResults"]) for test in _dicts(file.get("assertionResults"))]
    broken = [file for file in _dicts(report["testResults"]) if _broken(file)]
    failing = [f"{_name_of(file)}: {_title(test)}" for file, test in tests if test.get("status") == "failed"]
    words = [f"{_name_of(file)} did not run: {_first_line(_text(file.get('message')))}" for file in broken]
    failures = max(len(failing), _number(report, "numFailedTests"))
    errors = max(len(broken), _number(report, "numRuntimeErrorTestSuites"))
    if report.get("wasInterrupted") or (report.get("success") is False and tests and not failures and not errors):
        words.append("the run did not succeed, and no test says why: see the log")
        errors += 1
    return Totals(
        tests=max(len(tests), _number(report, "numTotalTests")),
        failures=failures,
        errors=errors,
        skipped=max(
            sum(test.get("status") in SKIPPED for _, test in tests),
            _number(report, "numPendingTests") + _number(report, "numTodoTests"),
        ),
        flaky=sum(_is_flaky(test) for _, test in tests),
        failing=(*words, *failing),
    )


def _case(classname: str, test: dict[str, Any]) -> Element:
    duration = test.get("duration")
    seconds = duration / 1000 if isinstance(duration, int | float) else 0
    case = Element("testcase", classname=classname, name=_title(test), time=f"{seconds:.3f}")
    said = "\n".join(_text(message) for message in test.get("failureMessages") or test.get("retryReasons") or ())
    if test.get("status") in SKIPPED:
        SubElement(case, "skipped")
    elif test.get("status") == "failed":
        SubElement(case, "failure", message=_first_line(said)).text = said
    elif _is_flaky(test):
        SubElement(case, "flakyFailure", message=_first_line(said)).text = said
    return case


def _broken(file: dict[str, Any]) -> bool:
    """Tell whether a file failed although none of its tests did: it does not compile, or has no tests."""
    tests = _dicts(file.get("assertionResults"))
    return file.get("status") == "failed" and not any(test.get("status") == "failed" for test in tests)


def _is_flaky(test: dict[str, Any]) -> bool:
    again = _number(test, "invocations") > 1 or test.get("retryReasons") or test.get("failureMessages")
    return test.get("status") == "passed" and bool(again)


def _title(test: dict[str, Any]) -> str:
    return " › ".join(_text(part) for part in (*(test.get("ancestorTitles") or ()), test.get("title")))


def _name_of(file: dict[str, Any]) -> str:
    return "/".join(_text(file.get("name")).split("/")[-2:])


def _load(path: Path) -> dict[str, Any]:
    return _dict(json.loads(path.read_text(encoding="utf-8-sig")))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    yield from (one for one in (value if isinstance(value, Iterable) else ()) if isinstance(one, dict))


def _number(of: dict[str, Any], key: str) -> int:
    value = of.get(key)
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    return _NO_TEXT.sub("", value if isinstance(value, str) else "")


def _first_line(text: str) -> str:
    """Return the first line that says something: those with a ● are headings."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("●")), "".join(lines[:1]))[:200]
