"""What containers print, in CloudWatch Logs: while they run, all of it, once."""

import pytest

from delivery.waiting import until
from tests.support.ecs import GROUP, of

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-ecs")]


@pytest.fixture(scope="module")
def tasks(running):
    return running


def test_lines_are_there_while_the_task_runs(tasks):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html"""
    arn = tasks.run(tasks.define({"script": "echo begun; echo; echo; sleep 600", "stopTimeout": 0}))

    def lines() -> list[str]:
        return [] if tasks.describe(arn)["lastStatus"] != "RUNNING" else tasks.lines(arn)

    assert until(lines, seconds=30, every=0.2) == ["begun"]
    tasks.ecs.stop_task(cluster="test", task=arn)
    assert (of(tasks.stopped(arn))["exitCode"], tasks.lines(arn)) == (137, ["begun"])


def test_long_lines_are_whole_a_last_one_needs_no_end_and_times_never_go_back(tasks):
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
    script = (
        "head -c 60000 /dev/zero | tr '\\\\0' a; echo; "
        "for i in $(seq 2000); do echo $i; echo $i >&2; done; printf '\\\\303\\\\274 end'"
    ).replace("\\\\", "\\")
    arn = tasks.run(tasks.define({"script": script}))
    tasks.stopped(arn)

    *lines, last = tasks.lines(arn)
    lines.sort(key=len)  # lines of stderr may come before those of stdout that were printed earlier
    assert (len(lines), len(lines[-1]), last) == (4001, 60000, "ü end")
    assert sorted(lines[:-1], key=int) == [str(number // 2) for number in range(2, 4002)]


def test_a_group_that_is_not_there_ends_the_task_unless_it_shall_be_made(tasks):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html"""
    missing = tasks.run(tasks.define({"script": "true", "options": {"awslogs-group": "/nowhere"}}))
    made = {"awslogs-group": "/made", "awslogs-create-group": "true"}
    created = tasks.run(tasks.define({"script": "echo kept", "options": made}))

    task = tasks.stopped(missing)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "TaskFailedToStart",
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
        "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. "
        ": exit status 1",
    )
    tasks.stopped(created)
    assert tasks.lines(created, group="/made") == ["kept"]


@pytest.mark.parametrize(
    "kind", ["answer lost", *(pytest.param(one, marks=pytest.mark.long) for one in ("throttled", "error"))]
)
def test_trouble_with_the_logs_loses_and_doubles_no_line(tasks, kind):
    fault = {"service": "logs", "operation": "PutLogEvents", "kind": kind, "times": 2, "after": 1}
    tasks.server.put_faults(fault)
    arn = tasks.run(tasks.define({"script": "for i in $(seq 6); do echo $i; sleep 0.3; done"}))

    tasks.stopped(arn)

    assert tasks.lines(arn) == [str(number) for number in range(1, 7)]


@pytest.mark.long
def test_a_stream_that_somebody_deletes_does_not_keep_a_task_from_its_end(tasks):
    arn = tasks.run(tasks.define({"script": "echo begun; until test -e /go; do sleep 0.1; done", "stopTimeout": 0}))
    until(lambda: tasks.describe(arn)["lastStatus"] == "RUNNING" and tasks.lines(arn), seconds=30, every=0.2)
    name = f"job/main/{arn.rpartition('/')[2]}"
    tasks.client("logs").delete_log_stream(logGroupName=GROUP, logStreamName=name)

    tasks.ecs.stop_task(cluster="test", task=arn)

    assert tasks.stopped(arn)["stopCode"] == "UserInitiated"
