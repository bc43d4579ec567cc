"""What holds for every test: made-up examples have no deadline, because a test asserts no time."""

import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("headway", max_examples=50, deadline=None, database=None, print_blob=True)
settings.load_profile("headway")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", metavar="FILE", help="keep what the tests measured in FILE, with date and commit")


def pytest_configure(config: pytest.Config) -> None:
    if (file := config.getoption("--figures")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Figures(Path(file)))


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A local AWS for all tests of a process that need no containers of it: to start it takes longer than they do."""
    from tests.support.local_aws import local_aws  # slow to import

    with local_aws(tmp_path_factory.mktemp("aws")) as server:
        yield server


class Figures:
    """Keeps outcome, seconds and figures (`record_property`) of each test, a section for each file of tests."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seen: dict[str, dict[str, Any]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path, _, name = report.nodeid.partition("::")
        one = self.seen[path].setdefault(name.partition("@")[0], {"outcome": "passed", "seconds": 0.0})
        one["seconds"] += report.duration
        if not report.passed:
            one["outcome"] = report.outcome
        if report.when == "call":
            one |= dict(report.user_properties)

    def pytest_sessionfinish(self) -> None:
        from bench.keeping import keep, stamp

        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
        when = {**stamp(), "commit": head.stdout.strip()}
        for path, tests in self.seen.items():
            keep(self.file, path, {**when, "tests": tests})
