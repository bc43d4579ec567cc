"""The local AWS killed while tasks run: nothing lost, nothing twice, nothing left."""

import signal

import pytest

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from delivery.waiting import until
from local_aws.agents.ecs_containers import LABEL_CONTAINER, LABEL_TASK, ROLE
from tests.support.ecs import Tasks, address, of
from tests.support.local_aws import Server, local_aws
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-ecs")]
HALF = 50
SCRIPT = f"seq {HALF}; until test -e /go; do sleep 0.1; done; seq {HALF + 1} {2 * HALF}; exit 3"


@pytest.fixture
def tasks(tmp_path):
    with own_platform(tmp_path / "home") as home, local_aws(home.root) as server:
        yield Tasks(server).ready()


def kill(server: Server) -> None:
    server.stop(signal.SIGKILL)


def lines_of(tasks, arn: str) -> list[str]:
    return tasks.lines(arn) if tasks.describe(arn)["lastStatus"] == "RUNNING" else []


def containers(tasks) -> dict[str, str]:
    """Return the containers of tasks that there are: the engine's own names for them."""
    identity = (tasks.server.home / "identity").read_text()
    filters = {"label": [f"{LABEL_PLATFORM}={identity}", f"{LABEL_ROLE}={ROLE}"]}
    found = connect().containers.list(all=True, filters=filters, ignore_removed=True)
    return {f"{one.labels[LABEL_TASK]} {one.labels[LABEL_CONTAINER]}": one.id for one in found}


def test_tasks_go_on_end_meanwhile_and_are_told_of_with_every_line_once(tasks):
    """One ends while nobody looks, the other one after that."""
    ending, going = (tasks.run(tasks.define({"script": SCRIPT})) for _ in range(2))
    for arn in (going, ending):
        until(lambda arn=arn: len(lines_of(tasks, arn)) == HALF, seconds=60, every=0.1)
    before, running = containers(tasks), tasks.describe(going)

    kill(tasks.server)
    other = connect().containers.get(before[f"{ending} main"])
    other.exec_run(["touch", "/go"])
    assert other.wait(timeout=60)["StatusCode"] == 3
    kept = containers(tasks)
    tasks.server.start()

    found = tasks.describe(going)
    assert (kept, found["lastStatus"], address(found)) == (before, "RUNNING", address(running))
    connect().containers.get(before[f"{going} main"]).exec_run(["touch", "/go"])
    for arn in (ending, going):
        task = tasks.stopped(arn)
        assert (of(task)["exitCode"], of(task)["runtimeId"]) == (3, before[f"{arn} main"])
        assert tasks.lines(arn) == [str(number) for number in range(1, 2 * HALF + 1)]
    assert until(lambda: not containers(tasks), seconds=20, every=0.2)


@pytest.mark.long
def test_a_stop_in_good_order_ends_tasks_which_are_told_of_afterwards(tasks):
    arn = tasks.run(tasks.define({"script": "trap 'echo asked; exit 7' TERM; echo begun; sleep 600 & wait"}))
    until(lambda: lines_of(tasks, arn), seconds=60, every=0.1)

    tasks.server.stop()
    tasks.server.start()

    task = tasks.stopped(arn)
    assert (of(task)["exitCode"], task["stopCode"]) == (7, "EssentialContainerExited")
    assert tasks.lines(arn) == ["begun", "asked"]


@pytest.mark.long
def test_killed_at_any_moment_of_its_start_a_task_runs_once(tasks):
    definition = tasks.define({"script": "echo ran; exit 3"})
    arns = []
    for moment in ("PROVISIONING", "PENDING", "RUNNING"):
        arns.append(tasks.run(definition))
        reached = (moment, "RUNNING", "STOPPED")
        until(
            lambda arn=arns[-1], reached=reached: tasks.describe(arn)["lastStatus"] in reached, seconds=30, every=0.02
        )
        kill(tasks.server)
        tasks.server.start()

    for arn in arns:
        task = tasks.stopped(arn)
        assert (of(task)["exitCode"], tasks.lines(arn)) == (3, ["ran"])


@pytest.mark.long
def test_what_no_record_knows_is_removed_and_what_is_not_of_tasks_stays(tasks):
    arn = tasks.run(tasks.define({"script": "sleep 600"}))
    running = tasks.when(arn, lambda task: task["lastStatus"] == "RUNNING")
    kill(tasks.server)
    (tasks.server.home / "aws" / "requests.jsonl").unlink()
    connect().containers.get(of(running)["runtimeId"]).reload()

    tasks.server.start()

    assert until(lambda: not containers(tasks), seconds=30, every=0.2)
