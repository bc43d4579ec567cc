"""JUnit files: what they say in all, in the dialects that runners write.

Totals come from the suites' own attributes as well as from the test cases, whichever is more: some runners report
an error only as an attribute, others only as a case. A file is read as a stream of elements, whatever its size.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from delivery.testing.totals import Totals

SUITES, CASE = ("testsuites", "testsuite"), "testcase"
DEEPEST = 500
OTHERS = {
    "assemblies": "a report of xUnit.net",
    "assembly": "a report of xUnit.net",
    "test-run": "a report of NUnit",
    "test-results": "a report of NUnit",
    "TestRun": "a report of Visual Studio (TRX)",
    "testng-results": "a report of TestNG in a form of its own",
    "robot": "a report of Robot Framework in a form of its own",
    "coverage": "a report of coverage",
    "checkstyle": "a report of Checkstyle",
}
# What stands in `status` or `result` of a case without an element that says so: googletest, CTest, behave.
NOT_RUN = {"disabled", "ignored", "notexecuted", "notrun", "pending", "skip", "skipped", "suppressed", "untested"}
FAILED = {"broken", "error", "errored", "fail", "failed", "failure", "timedout", "timeout"}
SKIPPED = {"skipped", "ignored", "disabled"}
HEALED, FAILED_AGAIN = {"flakyFailure", "flakyError"}, {"rerunFailure", "rerunError"}
SKIPPED_COUNTS = ("skipped", "skips", "skip", "ignored", "notrun", "pending")

_NO_TEXT = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|&#(?:0*(?:[0-8]|1[124-9]|2\\d|3[01])|x0*(?:[0-8bBcCeEfF]|1[\\da-fA-F]));"
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""^[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")


def read_junit(files: Iterable[Path]) -> Totals:
    """Return the totals of all `files`; one that cannot be read, or is another kind of report, counts as an error."""
    totals = Totals()
    for path in files:
        try:
            totals = totals.plus(_read(path.read_bytes()))
        except (expat.ExpatError, ValueError, LookupError, OSError) as error:
            totals = totals.plus(Totals(errors=1, failing=(f"{path.name} cannot be read: {error}",)))
    return totals


@dataclass
class _Suite:
    """A suite on its way: what its attributes say, and the sum of what was seen inside."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    flaky: int = 0
    excused: int = 0  # failed, and marked as not done yet: Node counts them among the failures of a suite
    failing: list[str] = field(default_factory=list)

    def add(self, other: "_Suite") -> None:
        for key in ("tests", "failures", "errors", "skipped", "flaky", "excused"):
            setattr(self, key, getattr(self, key) + getattr(other, key))
        self.failing += other.failing

    def close(self) -> None:
        """Raise the counts to what the attributes say."""
        seen, ran = self.failures + self.errors, self.tests - self.skipped
        self.tests = max(self.tests, self._says("tests"))
        self.failures = max(self.failures, self._says("failures") - self.excused)
        self.errors = max(self.errors, self._says("errors"))
        idle = max(self._says(key) for key in SKIPPED_COUNTS) + self._says("disabled")
        self.skipped = max(self.skipped, min(idle, self.tests - ran))
        if self.failures + self.errors > seen:
            self.failing.append(f"{self.attributes.get('name') or 'a suite'} (no test case says why)")

    def _says(self, key: str) -> int:
        return _count(key, self.attributes.get(key, ""))


@dataclass
class _Case:
    """A test case on its way: its attributes, and the elements inside with their types."""

    attributes: Mapping[str, str]
    inside: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        name, group = self.attributes.get("name", ""), self.attributes.get("classname", "")
        return name if not group or group in name else f"{group}: {name}"

    def counted(self) -> _Suite:
        """Return the case as a sum of one."""
        found = self.inside.keys()
        words = {re.sub(r"[^a-z]", "", self.attributes.get(key, "").lower()) for key in ("status", "result")}
        said = bool(found & {"failure", "error"} or found & SKIPPED)
        error = "error" in found
        failure = "failure" in found or bool(found & FAILED_AGAIN and not found & HEALED)
        failure = failure or (not said and bool(words & FAILED))
        to_do = self.inside.get("skipped") == "todo"
        bad = (failure or error) and not to_do
        return _Suite(
            tests=1,
            failures=int(bad and failure),
            errors=int(bad and not failure),
            skipped=int(not bad and bool(found & SKIPPED or words & NOT_RUN)),
            flaky=int(not bad and bool(found & HEALED)),
            excused=int(to_do and (failure or error)),
            failing=[self.name] if bad else [],
        )


class _Reader:
    """Adds up the elements of a document as they come."""

    def __init__(self) -> None:
        self.total = _Suite()
        self._open: list[_Suite | _Case | None] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._open and name not in (*SUITES, CASE):
            raise ValueError(f"it is {OTHERS.get(name, f'something else (<{name}>)')}, not JUnit")
        if len(self._open) > DEEPEST:
            raise ValueError(f"its elements lie more than {DEEPEST} deep")
        if name in SUITES:
            self._open.append(_Suite(attributes))
        elif name == CASE:
            self._open.append(_Case(attributes))
        else:
            if self._open and isinstance(around := self._open[-1], _Case):
                around.inside.setdefault(name, attributes.get("type", ""))
            self._open.append(None)

    def end(self, _tag: str) -> None:
        ended = self._open.pop()
        if ended is None:
            return
        if isinstance(ended, _Suite):
            ended.close()
        around = next((one for one in reversed(self._open) if isinstance(one, _Suite)), self.total)
        around.add(ended if isinstance(ended, _Suite) else ended.counted())


def _read(content: bytes) -> Totals:
    try:
        total = _added_up(content)
    except (expat.ExpatError, ValueError):
        # What a test printed may be no XML: control characters, another encoding than the one that is named.
        plain = _as_text(content)
        if plain == content:
            raise
        total = _added_up(plain, "utf-8")
    keys = ("tests", "failures", "errors", "skipped", "flaky")
    return Totals(**{key: getattr(total, key) for key in keys}, failing=tuple(total.failing))


def _added_up(content: bytes, encoding: str | None = None) -> _Suite:
    reader, parser = _Reader(), expat.ParserCreate(encoding)
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.EntityDeclHandler = _refuse_entity
    parser.Parse(content, True)
    return reader.total


def _as_text(content: bytes) -> bytes:
    """Return the document in UTF-8, without what no XML may hold and without its declaration."""
    named = _ENCODING.match(content)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else named[1].decode() if named else "utf-8"
    text = content.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding, errors="replace")
    return _NO_TEXT.sub("�", _DECLARATION.sub("", text).lstrip()).encode()


def _refuse_entity(name: str, *_: object) -> None:
    raise ValueError(f"it declares an entity ({name}), which no report of tests needs")


def _count(key: str, text: str) -> int:
    """Return a count as it was meant: also `1,234`, `2.0` and `-1` are written."""
    plain = re.sub(r"[,_\s]", "", text)
    try:
        return max(0, math.ceil(float(plain))) if plain else 0
    except (ValueError, OverflowError) as error:
        raise ValueError(f'{key}="{text}" is no number') from error
