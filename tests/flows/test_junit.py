"""What tests said is copied to where other programs read it."""

import pytest

from blocks.artifact_store import current_store
from delivery.errors import Misconfigured
from flows.results import copy_junit

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.xdist_group("prefect"),
    pytest.mark.parametrize("platform", ["folder"], indirect=True),
]


def test_the_junit_files_of_every_cell_are_copied_and_nothing_else(platform, tmp_path):
    for name in ("unit/junit/report.xml", "api-1/junit/deep/report.xml", "unit/log.txt", "junit/log.txt"):
        current_store().put(f"runs/run-1/cells/{name}", name.encode())

    copied = copy_junit("run-1", tmp_path)

    assert [path.relative_to(tmp_path).as_posix() for path in copied] == ["api-1/deep/report.xml", "unit/report.xml"]
    assert copied[1].read_bytes() == b"unit/junit/report.xml"


def test_of_a_run_without_reports_none_are_copied(platform, tmp_path):
    with pytest.raises(Misconfigured, match="there are no JUnit files of it"):
        copy_junit("run-2", tmp_path)
