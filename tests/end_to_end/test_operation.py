"""Runs that meet each other, are interrupted or killed, and a platform that is stopped and started again."""

import os
import signal
import subprocess
import time

import httpx
import pytest

from delivery.presence import Roll
from tests.end_to_end.project import Project

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("end-to-end"), pytest.mark.timeout(400)]
QUICK = "  production: {target: {port: PORT}, watch: {seconds: 1}, busy: BUSY}\n"
LONG = "  production: {target: {port: PORT}, watch: {seconds: 90, min_requests: 1}, busy: BUSY}\n"
RECOVERED_SECONDS = 150  # a lease lives 30 s, recovery runs every minute


@pytest.fixture
def live(hello: Project) -> Project:
    """The hello application, live, in an environment where the second of two runs waits."""
    hello.describe(QUICK.replace("BUSY", "queue"))
    done = hello.headway("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return hello


def change(project: Project, greeting: str) -> None:
    text = (project.folder / "server.py").read_text()
    old = text.partition('return f"')[2].partition(",")[0]
    project.edit("server.py", f'return f"{old},', f'return f"{greeting},')
    project.edit("test_server.py", f'"{old},', f'"{greeting},')
    project.commit(f"Say {greeting}")


def greeting(project: Project) -> str:
    return httpx.get(f"{project.url()}/Ada", timeout=10).text.partition(",")[0]


def until_line(process: subprocess.Popen[str], text: str) -> None:
    """Return when the command printed a line with `text`."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return
    pytest.fail(f"the command ended without {text!r}:\n{''.join(lines)}")


def start_long_run(project: Project, busy: str = "queue") -> subprocess.Popen[str]:
    """Start a delivery and return when all traffic is on it and it is being watched."""
    project.describe(LONG.replace("BUSY", busy))
    process = project.start("run")
    until_line(process, "✓ shift to 100 %")
    return process


def test_an_interrupt_withdraws_the_release_and_leaves_nothing(live: Project) -> None:
    before, said = live.things(), greeting(live)
    change(live, f"{said} there")
    process = start_long_run(live)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 130, output
    assert "ended Cancelled; what it had started is removed" in output
    assert greeting(live) == said
    assert live.things() == before
    assert [view["busy"] for view in live.status()["environments"] if view["app"] == "hello"] == [False]


def test_a_second_run_waits_and_says_for_whom(live: Project) -> None:
    said = greeting(live)
    change(live, f"{said} again")
    first = start_long_run(live)
    holder = next(view["lease"] for view in live.status()["environments"] if view["app"] == "hello")["holder"]
    live.describe(QUICK.replace("BUSY", "queue"))

    second = live.start("run")
    until_line(second, f"production of hello is held by {holder}")

    first.send_signal(signal.SIGINT)
    assert first.wait(120) == 130
    assert second.wait(120) == 0
    assert greeting(live) == f"{said} again"


def test_a_second_run_is_refused_where_the_policy_says_so(live: Project) -> None:
    said = greeting(live)
    change(live, f"{said} then")
    first = start_long_run(live)
    live.describe(QUICK.replace("BUSY", "reject"))

    refused = live.headway("run")

    first.send_signal(signal.SIGINT)
    first.wait(120)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "production of hello is held by" in refused.stderr
    assert greeting(live) == said


def test_what_a_killed_run_began_is_withdrawn_by_recovery(live: Project) -> None:
    before, said = live.things(), greeting(live)
    change(live, f"{said} anew")
    process = start_long_run(live)
    roll = Roll(live.home / "roll")
    (run,) = roll.alive()
    carrier = roll.find(run)
    assert carrier

    os.kill(carrier.process, signal.SIGKILL)
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 1, output
    assert "crashed" in output
    wait_for(lambda: live.things() == before and greeting(live) == said)
    assert [view["busy"] for view in live.status()["environments"] if view["app"] == "hello"] == [False]
    again = live.headway("rollback", "--app", "hello", "--json")
    assert again.returncode in (0, 2), again.stderr


def test_a_platform_that_was_stopped_comes_back_with_its_state(live: Project) -> None:
    said, before = greeting(live), live.status()["environments"]

    for _ in range(2):
        assert live.headway("down").returncode == 0
    with pytest.raises(httpx.ConnectError):
        greeting(live)
    refused = live.headway("status")
    for _ in range(2):
        up = live.headway("up")
        assert up.returncode == 0, up.stderr

    assert refused.returncode == 2
    assert "headway up" in refused.stderr
    wait_for(lambda: greeting(live) == said)
    assert [view["state"]["slots"] for view in live.status()["environments"]] == [
        view["state"]["slots"] for view in before
    ]
    assert "is live already" in live.headway("run").stdout


def wait_for(done: object) -> None:
    deadline = time.monotonic() + RECOVERED_SECONDS
    while True:
        try:
            if done():  # type: ignore[operator]
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1)
