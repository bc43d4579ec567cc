"""Runs that ask, meet each other, are interrupted or killed."""

import json
import re
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.platform.orchestrator import Orchestrator
from tests.end_to_end.browser import APPROVE, STRANGER, Browser
from tests.end_to_end.hello import QUICK, change, greeting, kill_its_carrier, start_long_run, until_line, wait_for
from tests.end_to_end.load import load_on
from tests.end_to_end.project import HANGS_SECONDS, Project, output_of
from tests.end_to_end.question import describe_and_start
from tests.support.examples import check_data
from tests.support.signed_in import signed_in

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("end-to-end"), pytest.mark.timeout(HANGS_SECONDS)]


def steps_of(project: Project, run: str) -> list[str]:
    """Return the names of the steps that a run carried out, each as often as it did."""
    kept = (project.home / "store" / "runs" / run / "steps").glob("*.json")
    return [json.loads(path.read_text())["name"] for path in kept]


def test_a_commit_goes_live_and_the_user_is_told_where_and_how_long_each_phase_took(greeter: Project) -> None:
    assert greeting(greeter) in (greeter.folder / "server.py").read_text()
    assert f"application   {greeter.url()}" in greeter.ending
    assert "/runs/flow-run/" in greeter.ending
    assert "<svg" in Path(re.findall(r"^report +(\S+)$", greeter.ending, re.MULTILINE)[0]).read_text()
    steps = re.findall(r"✓ (.+?) +(?:\d+ min )?[\d.]+ s", greeter.ending)
    expected = ["build web", "scan web", "unit", "publish release", "keep decision", "shift to 100 %"]
    assert [step for step in expected if step not in steps] == []
    assert re.search(r"set-up (?:\d+ min )?[\d.]+ s, delivery ", greeter.ending)


def test_hooks_were_run_beside_the_environment_before_and_after_its_first_release(greeter: Project) -> None:
    run = re.findall(r"/runs/flow-run/(\S+)", greeter.ending)[0]
    (record,) = (greeter.home / "store" / "runs" / run).glob("record-*.json")
    kept = (greeter.home / "store" / "runs" / run / "cells").rglob("production-hooks.*/log.txt")
    printed = " ".join(log.read_text() for log in sorted(kept))
    hooks = json.loads(record.read_text())["hooks"]
    assert [(one["at"], one["problem"]) for one in hooks] == [("before_release", ""), ("after_release", "")]
    assert "may go" in printed
    assert "200" in printed


def test_what_the_run_did_is_told_by_the_schema_and_its_hooks_are_in_it(greeter: Project) -> None:
    done = greeter.headway("log", "--json")

    told = check_data("log", done.stdout)
    assert isinstance(told, dict)
    assert (told["outcome"], told["name"].partition(" ")[0]) == ("delivered", "hello")
    assert [step["outcome"] for step in told["steps"] if step["name"].startswith("hook ")] == ["done", "done"]


def test_the_same_commit_again_is_told_and_builds_nothing(greeter: Project) -> None:
    again = greeter.headway("run")

    assert again.returncode == 0
    assert "is live already" in again.stdout
    assert greeter.url() in again.stdout
    assert "build web" not in again.stdout


@pytest.mark.long
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
    output = output_of(process)

    assert (stopped, started, refused.returncode) == ([0, 0], [0, 0], 2)
    assert "headway up" in refused.stderr
    assert [view["state"]["slots"] for view in after] == [view["state"]["slots"] for view in before]
    assert approved.returncode == 0, approved.stderr
    assert process.returncode == 0, output
    assert steps_of(greeter, run_url.rpartition("/")[2]).count("build web") == 1


@pytest.mark.long
def test_a_rejected_release_goes_nowhere(greeter: Project) -> None:
    greeter.edit("README.md", "# hello", "# hello, rejected")
    greeter.commit("Say rejected")
    before = greeter.status()["environments"]
    process, _ = describe_and_start(greeter, "pause")

    rejected = greeter.headway("reject", "--by", "grace@example.org", "--comment", "not today")

    output = output_of(process)
    assert rejected.returncode == 0, rejected.stderr
    assert process.returncode == 1, output
    assert "rejected by grace@example.org: not today" in output
    assert greeter.status()["environments"] == before


@pytest.fixture(scope="module")
def let_in(greeter: Project, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A release that a person let in with the form, in a real browser: what was said before, the log."""
    said, folder = greeting(greeter), tmp_path_factory.mktemp("pictures")
    change(greeter, f"{said} by hand")
    process, run_url = describe_and_start(greeter, "pause")
    browser.drive(APPROVE, folder, RUN_URL=run_url, APPROVER="ada@example.org")
    output = output_of(process)
    assert process.returncode == 0, output
    return said, output


def test_a_release_is_let_in_with_the_form_in_the_ui(greeter: Project, let_in: tuple[str, str]) -> None:
    said, output = let_in
    assert greeting(greeter) == f"{said} by hand"
    report = Path(re.findall(r"^report +(\S+)$", output, re.MULTILINE)[0]).read_text()
    assert "ada@example.org" in report


def test_a_rollback_under_load_fails_no_request(greeter: Project, let_in: tuple[str, str]) -> None:
    with load_on(greeter.url(), path="/Ada", post=False) as counts:
        done = greeter.headway("rollback", "--app", "hello")

    assert (done.returncode, counts.failures) == (0, []), done.stdout + done.stderr
    assert "rolled back to" in done.stdout
    assert greeting(greeter) == let_in[0]
    assert counts.requests > 100


@pytest.mark.long
def test_a_commit_that_does_not_start_is_withdrawn_and_leaves_nothing(greeter: Project) -> None:
    before, said = greeter.things(), greeting(greeter)
    greeter.describe(QUICK.replace("BUSY", "queue"))
    greeter.edit("Dockerfile", 'CMD ["python", "server.py"]', 'CMD ["echo", "nobody is at home"]')
    greeter.commit("Do not start")
    with load_on(greeter.url(), path="/Ada", workers=2, post=False) as counts:
        done = greeter.headway("run")
    greeter.undo()

    assert (done.returncode, counts.failures) == (3, []), done.stdout + done.stderr
    assert "nobody is at home" in done.stdout + done.stderr
    assert greeting(greeter) == said
    assert greeter.things() == before


@pytest.mark.long
def test_an_interrupt_withdraws_the_release_and_leaves_nothing(greeter: Project) -> None:
    before, said = greeter.things(), greeting(greeter)
    change(greeter, f"{said} there")
    process = start_long_run(greeter)

    process.send_signal(signal.SIGINT)
    output = output_of(process)

    assert process.returncode == 130, output
    assert "ended Cancelled; what it had started is removed" in output
    assert greeting(greeter) == said
    assert greeter.things() == before
    assert [view["busy"] for view in greeter.status()["environments"] if view["app"] == "hello"] == [False]


@pytest.mark.long
def test_a_second_run_is_refused_or_waits_as_the_policy_says(greeter: Project) -> None:
    said = greeting(greeter)
    change(greeter, f"{said} again")
    first = start_long_run(greeter)
    lease = next(view["lease"] for view in greeter.status()["environments"] if view["app"] == "hello")
    held = f"production of hello is held by {lease['holder_name']} (run {lease['holder'][:8]})"

    greeter.describe(QUICK.replace("BUSY", "reject"))
    refused = greeter.headway("run")
    greeter.describe(QUICK.replace("BUSY", "queue"))
    second = greeter.start("run")
    until_line(second, held)
    first.send_signal(signal.SIGINT)
    output_of(first)
    output = output_of(second)

    assert (refused.returncode, held in refused.stderr) == (1, True), refused.stdout + refused.stderr
    assert (first.returncode, second.returncode) == (130, 0), output
    assert greeting(greeter) == f"{said} again"


def test_what_a_killed_run_began_is_withdrawn_by_recovery(greeter: Project) -> None:
    before, said = greeter.things(), greeting(greeter)
    change(greeter, f"{said} anew")
    process = start_long_run(greeter)

    output = kill_its_carrier(greeter, process)

    assert process.returncode == 1, output
    assert "crashed: its process died; recovery finishes or withdraws what it had begun" in output
    assert "next: headway status says when the environment is free" in output
    wait_for(lambda: greeter.things() == before and greeting(greeter) == said)
    assert [view["busy"] for view in greeter.status()["environments"] if view["app"] == "hello"] == [False]


def kill(daemon: Daemon) -> psutil.Process:
    """Kill it at once and return what it was."""
    process = daemon.process()
    assert process
    process.kill()
    return process


@pytest.mark.long
def test_a_delivery_outlives_the_death_of_server_and_worker(greeter: Project) -> None:
    said, prefect = greeting(greeter), Orchestrator(Home(greeter.home))
    greeter.describe(QUICK.replace("seconds: 1}", "seconds: 15, min_requests: 1}").replace("BUSY", "queue"))
    change(greeter, f"{said} still")
    process = greeter.start("run")
    until_line(process, "✓ shift to 100 %")

    dead = [kill(prefect.server), kill(prefect.worker)]
    output = output_of(process)

    assert process.returncode == 0, output
    assert greeting(greeter) == f"{said} still"
    wait_for(prefect.runs)
    assert all(one not in (prefect.server.process(), prefect.worker.process()) for one in dead)


def test_a_keeper_that_was_killed_is_started_by_recovery(greeter: Project) -> None:
    prefect = Orchestrator(Home(greeter.home))
    assert prefect.runs()

    dead = kill(prefect.keeper)
    recovered = greeter.headway("recover")

    assert recovered.returncode == 0, recovered.stderr
    assert prefect.keeper.process() not in (None, dead)


def test_recovery_runs_by_its_schedule(greeter: Project) -> None:
    wanted = {"flows": {"name": {"any_": ["recover"]}}, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    with signed_in(Orchestrator(Home(greeter.home))) as server:
        wait_for(lambda: any(run["auto_scheduled"] for run in server.post("flow_runs/filter", json=wanted).json()))


def test_the_printed_link_opens_with_one_paste_and_a_foreign_page_reads_nothing(
    greeter: Project, browser: Browser, tmp_path: Path
) -> None:
    shown = json.loads(greeter.headway("ui", "--json").stdout)

    browser.drive(STRANGER, tmp_path, UI=shown["ui"], PASTED=shown["key"], FOREIGN=greeter.url())


@pytest.mark.long
def test_a_removed_application_is_gone_and_a_second_call_says_so(greeter: Project) -> None:
    unasked = greeter.headway("remove", "hello")
    assert (unasked.returncode, greeting(greeter) != "") == (2, True), unasked.stdout
    assert "production   release " in unasked.stderr
    assert "images       hello/" in unasked.stderr

    removed = greeter.headway("remove", "hello", "--yes")

    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert [view for view in greeter.status()["environments"] if view["app"] == "hello"] == []
    assert [name for name in greeter.things() if "-hello-" in name] == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(greeter.url(), timeout=10)
    again = greeter.headway("remove", "hello", "--yes")
    assert (again.returncode, "there is nothing of hello" in again.stderr) == (0, True)
