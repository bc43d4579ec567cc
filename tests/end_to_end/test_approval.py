"""A person lets a release in from the command line, or does not."""

import httpx
import pytest

from tests.end_to_end.project import Project
from tests.end_to_end.question import describe_and_start

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("end-to-end"), pytest.mark.timeout(400)]


def test_a_suspended_run_and_all_state_survive_a_stop_of_everything(greeter: Project) -> None:
    greeter.edit("README.md", "# hello", "# hello, suspended")
    greeter.commit("Say suspended")
    process, run_url = describe_and_start(greeter, "suspend")
    before = greeter.status()["environments"]

    stopped = [greeter.headway("down").returncode for _ in range(2)]
    with pytest.raises(httpx.ConnectError):
        httpx.get(greeter.url(), timeout=10)
    refused = greeter.headway("status")
    started = [greeter.headway("up").returncode for _ in range(2)]
    after = greeter.status()["environments"]
    approved = greeter.headway(
        "approve", run_url.rpartition("/")[2][:8], "--by", "grace@example.org", "--comment", "go"
    )
    output, _ = process.communicate(timeout=120)

    assert (stopped, started, refused.returncode) == ([0, 0], [0, 0], 2)
    assert "headway up" in refused.stderr
    assert [view["state"]["slots"] for view in after] == [view["state"]["slots"] for view in before]
    assert approved.returncode == 0, approved.stderr
    assert process.returncode == 0, output
    assert output.count("✓ build web") <= 1


def test_a_rejected_release_goes_nowhere(greeter: Project) -> None:
    greeter.edit("README.md", "# hello", "# hello, rejected")
    greeter.commit("Say rejected")
    before = greeter.status()["environments"]
    process, _ = describe_and_start(greeter, "pause")

    rejected = greeter.headway("reject", "--by", "grace@example.org", "--comment", "not today")

    output, _ = process.communicate(timeout=120)
    assert rejected.returncode == 0, rejected.stderr
    assert process.returncode == 1, output
    assert "rejected by grace@example.org: not today" in output
    assert greeter.status()["environments"] == before
