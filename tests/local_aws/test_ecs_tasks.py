"""Tasks as containers: how they start, see each other, end, and what is told of it."""

from contextlib import suppress

import httpx
import pytest
from botocore.exceptions import ClientError
from docker.errors import ImageNotFound

from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from delivery.waiting import until
from tests.support.ecs import GROUP, address, of
from tests.support.registry_client import token_of

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-ecs")]
BESIDE = {"name": "beside", "essential": False}


def after(name: str, condition: str) -> dict[str, object]:
    return {"dependsOn": [{"containerName": name, "condition": condition}]}


SHARED = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}]}
READS = {"mountPoints": [{"sourceVolume": "shared", "containerPath": "/in", "readOnly": True}]}
SCENES = {
    "exit code": [{"script": "echo out; echo err >&2; exit 3"}],
    "process": [
        {
            "entryPoint": ["/bin/sh", "-c"],
            "command": ["id -u; pwd; echo $GREETING; touch /tmp/x 2>/dev/null || echo read-only"],
            "user": "65534",
            "workingDirectory": "/tmp",
            "readonlyRootFilesystem": True,
            "environment": [{"name": "GREETING", "value": "hello"}],
        }
    ],
    "files": [
        {"name": "first", "essential": False, "script": "echo kept > /shared/file; exit 7", **SHARED},
        {"script": "cat /in/file; echo x 2>/dev/null > /in/file || exit 5", **READS, **after("first", "COMPLETE")},
    ],
    "success": [
        {"name": "first", "essential": False, "script": "exit 1"},
        {"script": "echo never", **after("first", "SUCCESS")},
    ],
    "timed out": [
        {"name": "first", "essential": False, "script": "sleep 600", "startTimeout": 1, "stopTimeout": 0},
        {"script": "echo never", **after("first", "SUCCESS")},
    ],
    "healthy": [
        {
            **BESIDE,
            "script": "sleep 1; touch /ready; sleep 600",
            "stopTimeout": 0,
            "healthCheck": {"command": ["CMD-SHELL", "test -e /ready"], "interval": 5, "startPeriod": 0},
        },
        {"script": "echo after", **after("beside", "HEALTHY")},
    ],
    "memory": [{"script": "x=a; while true; do x=$x$x; done", "memory": 16}],
    "no image": [{"image": "headway.invalid/nothing:1"}, {**BESIDE, "script": "true"}],
    "no command": [{"command": ["/no/such/program"]}],
    "essential": [{"script": "sleep 1; exit 4"}, {**BESIDE, "script": "trap 'exit 9' TERM; sleep 600 & wait"}],
    "loopback": [
        {**BESIDE, "script": "nc -l -p 8080 -e echo answered", "stopTimeout": 0},
        {"script": "until nc 127.0.0.1 8080; do sleep 0.1; done", **after("beside", "START")},
    ],
}


@pytest.fixture(scope="module")
def tasks(running):
    return running


@pytest.fixture(scope="module")
def scenes(tasks):
    """All of them, started at once: most of their time is waiting."""
    volumes = [{"name": "shared"}]
    return {name: tasks.run(tasks.define(*containers, volumes=volumes)) for name, containers in SCENES.items()}


@pytest.fixture
def scene(tasks, scenes):
    return lambda name: tasks.stopped(scenes[name])


def test_a_stopped_task_tells_exit_code_reason_times_and_address(tasks, scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html"""
    task = scene("exit code")

    assert (of(task)["exitCode"], of(task)["lastStatus"], task["desiredStatus"]) == (3, "STOPPED", "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    moments = ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "stoppedAt")
    assert sorted(task[name] for name in moments) == [task[name] for name in moments]
    assert of(task)["networkInterfaces"][0]["privateIpv4Address"] == address(task)
    assert of(task)["imageDigest"].startswith("sha256:")
    assert sorted(tasks.lines(task["taskArn"])) == ["err", "out"]


def test_a_process_runs_as_its_definition_says(tasks, scene):
    task = scene("process")

    lines = tasks.lines(task["taskArn"])
    assert lines == ["65534", "/tmp", "hello", "read-only"]
    assert of(task)["exitCode"] == 0


def test_containers_share_a_volume_and_one_waits_for_the_other(tasks, scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html, COMPLETE"""
    task = scene("files")

    assert (of(task, "first")["exitCode"], of(task)["exitCode"]) == (7, 5)
    assert "kept" in tasks.lines(task["taskArn"])


@pytest.mark.parametrize(
    ("name", "why"), [("success", "it exited with 1"), ("timed out", "no SUCCESS within 1 seconds")]
)
def test_who_waits_for_a_success_that_does_not_come_never_runs(tasks, scene, name, why):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html, SUCCESS; startTimeout"""
    task = scene(name)

    assert (of(task)["exitCode"], why in of(task)["reason"], tasks.lines(task["taskArn"])) == (143, True, [])
    assert "startedAt" not in task or task["stopCode"] == "EssentialContainerExited"


def test_who_waits_for_health_starts_when_the_check_passes(tasks, scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html, HEALTHY"""
    task = scene("healthy")

    assert (of(task, "beside")["healthStatus"], tasks.lines(task["taskArn"])) == ("HEALTHY", ["after"])
    assert of(task, "beside")["exitCode"] == 137


def test_a_container_that_takes_too_much_memory_is_killed_for_it(scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/out-of-memory.html"""
    found = of(scene("memory"))

    assert (found["exitCode"], found["reason"]) == (137, "OutOfMemoryError: Container killed due to memory usage")


def test_an_image_that_is_not_there_ends_the_task(tasks, scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html"""
    task = scene("no image")

    assert (task["stopCode"], task["stoppedReason"].partition(":")[0]) == (
        "TaskFailedToStart",
        "CannotPullContainerError",
    )
    assert "exitCode" not in of(task, "beside")
    assert tasks.lines(task["taskArn"], "beside") == []


def test_a_program_that_is_not_there_ends_the_task(scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cannot-start-container.html"""
    task = scene("no command")

    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", "Task failed to start")
    assert "CannotStartContainerError" in of(task)["reason"]


def test_the_end_of_an_essential_container_ends_the_others(scene):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html, essential: "all other
    containers that are part of the task are stopped".
    """
    task = scene("essential")

    assert (of(task)["exitCode"], of(task, "beside")["exitCode"]) == (4, 9)


def test_containers_of_a_task_find_each_other_on_loopback(tasks, scene):
    assert tasks.lines(scene("loopback")["taskArn"])[-1] == "answered"


def test_a_task_is_reached_at_its_address_reaches_aws_and_is_stopped_by_its_user(tasks):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html"""
    script = (
        "mkdir /www; wget -q -O /www/index.html $AWS_ENDPOINT_URL/headway/status; "
        "trap 'echo asked to end; exit 6' TERM; httpd -p 8080 -h /www; while true; do sleep 0.1; done"
    )
    arn = tasks.run(tasks.define({"script": script}))
    running = tasks.when(arn, lambda task: task["lastStatus"] == "RUNNING")

    def answer() -> str:
        try:
            return httpx.get(f"http://{address(running)}:8080/", trust_env=False).text
        except httpx.HTTPError:
            return ""

    assert "replayed" in until(answer, seconds=20, every=0.1)
    tasks.ecs.stop_task(cluster=running["clusterArn"], task=arn, reason="enough")
    stopped = tasks.stopped(arn)
    assert (stopped["stopCode"], stopped["stoppedReason"], of(stopped)["exitCode"]) == ("UserInitiated", "enough", 6)
    assert tasks.lines(arn)[-1:] == ["asked to end"]


def test_a_container_that_somebody_removes_is_told_as_stopped(tasks):
    arn = tasks.run(tasks.define({"script": "echo here; sleep 600"}))
    running = tasks.when(arn, lambda task: task["lastStatus"] == "RUNNING")

    connect().containers.get(of(running)["runtimeId"]).remove(force=True)

    task = tasks.stopped(arn)
    assert ("exitCode" in of(task), "No such container" in of(task)["reason"]) == (False, True)


@pytest.fixture
def pushed(tasks):
    """An image of ECR that the engine does not have any more: its name and its digest."""
    uri = tasks.client("ecr").create_repository(repositoryName="shop/job")["repository"]["repositoryUri"]
    image = connect().images.get(resolve_base("busybox", home=Home(tasks.server.home)).used)
    login = {"username": "AWS", "password": token_of(tasks.client("ecr"))}
    image.tag(uri, "1")
    lines = list(connect().images.push(uri, tag="1", auth_config=login, stream=True, decode=True))
    connect().images.remove(f"{uri}:1")
    digest = next(line["aux"]["Digest"] for line in lines if "aux" in line)
    yield uri, digest
    for name in (f"{uri}:1", f"{uri}@{digest}"):
        with suppress(ImageNotFound):
            connect().images.remove(name)


def test_an_image_of_ecr_runs_by_tag_and_by_digest_which_is_told(tasks, pushed):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Container.html, imageDigest"""
    uri, digest = pushed
    with pytest.raises(ClientError, match="execution role ARN to support ECR images"):
        tasks.ecs.register_task_definition(
            family="no-role",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": f"{uri}:1"}],
        )
    runs = [tasks.run(tasks.define({"image": name, "script": "exit 2"})) for name in (f"{uri}:1", f"{uri}@{digest}")]
    runs.append(tasks.run(tasks.define({"image": f"{uri}:2"})))

    for arn in runs[:2]:
        found = of(tasks.stopped(arn))
        assert (found.get("exitCode"), found.get("imageDigest")) == (2, digest), tasks.describe(arn)
    assert tasks.stopped(runs[2])["stoppedReason"].startswith("CannotPullContainerError")


UPLOAD = """
import os, pathlib, urllib.request
for path in sorted(pathlib.Path("/reports").iterdir()):
    request = urllib.request.Request(os.environ["UPLOAD_URL"], data=path.read_bytes(), method="PUT")
    print(path.name, urllib.request.urlopen(request).status, flush=True)
"""


def test_the_files_of_a_job_leave_it_by_a_presigned_url_from_a_second_container(tasks):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html"""
    s3 = tasks.client("s3")
    s3.create_bucket(Bucket="reports")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "reports", "Key": "run/junit.xml"}, ExpiresIn=600)
    mount = {"mountPoints": [{"sourceVolume": "reports", "containerPath": "/reports"}]}
    job = {"script": "for i in $(seq 300); do echo line $i; done; echo '<x/>' > /reports/a.xml; exit 1"}
    definition = tasks.define(
        {**job, "essential": False, **mount},
        {
            "name": "upload",
            "image": "python:3.11-alpine",
            "command": ["python", "-c", UPLOAD],
            **mount,
            **after("main", "COMPLETE"),
        },
        volumes=[{"name": "reports"}],
    )
    overrides = {"containerOverrides": [{"name": "upload", "environment": [{"name": "UPLOAD_URL", "value": url}]}]}

    task = tasks.stopped(tasks.run(definition, overrides=overrides))

    assert (of(task)["exitCode"], of(task, "upload")["exitCode"]) == (1, 0), tasks.lines(task["taskArn"], "upload")
    assert s3.get_object(Bucket="reports", Key="run/junit.xml")["Body"].read() == b"<x/>\n"
    assert tasks.lines(task["taskArn"]) == [f"line {number}" for number in range(1, 301)]
    assert tasks.lines(task["taskArn"], "upload") == ["a.xml 200"]


def test_nothing_of_a_stopped_task_stays_on_the_engine(tasks, scenes):
    for arn in scenes.values():
        tasks.stopped(arn)

    def left():
        client = connect()
        wanted = {"label": [f"headway.aws.task={arn}" for arn in scenes.values()][:1]}
        return [*client.containers.list(all=True, filters=wanted), *client.volumes.list(filters=wanted)]

    assert until(lambda: not left(), seconds=20, every=0.2)
    assert GROUP in [one["logGroupName"] for one in tasks.client("logs").describe_log_groups()["logGroups"]]
