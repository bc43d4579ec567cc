"""RegisterTaskDefinition: what is kept and what is refused."""

import pytest
from botocore.exceptions import ClientError

from tests.support.ecs import container

pytestmark = pytest.mark.xdist_group("local-aws")
MIGRATE = {"name": "main", "essential": False}


@pytest.fixture
def tasks(held):
    return held


def test_a_definition_is_kept_as_it_was_given(tasks):
    given = {
        "volumes": [{"name": "reports", "host": {}}],
        "cpu": "512",
        "memory": "1024",
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
        "ephemeralStorage": {"sizeInGiB": 30},
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "enableFaultInjection": True,
    }
    main = {
        **MIGRATE,
        "secrets": [{"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"}],
        "mountPoints": [{"sourceVolume": "reports", "containerPath": "/reports", "readOnly": False}],
        "stopTimeout": 5,
        "user": "1000",
        "environment": [{"name": "A", "value": "b"}],
    }
    beside = {"name": "upload", "dependsOn": [{"containerName": "main", "condition": "COMPLETE"}]}
    arn = tasks.define(main, beside, **given)

    kept = tasks.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]

    assert {key: kept[key] for key in given} == given
    assert [
        {key: one[key] for key in wanted}
        for one, wanted in zip(kept["containerDefinitions"], (main, beside), strict=True)
    ] == [
        main,
        beside,
    ]
    assert [one["logConfiguration"] for one in kept["containerDefinitions"]] == [container()["logConfiguration"]] * 2
    assert (kept["status"], kept["compatibilities"], kept["revision"]) == ("ACTIVE", ["EC2", "FARGATE"], 1)


@pytest.mark.parametrize(
    ("cpu", "memory", "kept"), [(".25 vCPU", "0.5 GB", ("256", "512")), ("1 vcpu", "2GB", ("1024", "2048"))]
)
def test_sizes_in_words_are_kept_in_units(tasks, cpu, memory, kept):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html: "It's converted to an
    integer indicating the CPU units when the task definition is registered."
    """
    arn = tasks.define({}, cpu=cpu, memory=memory)

    found = tasks.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert (found["cpu"], found["memory"]) == kept


SIZES = {
    ("256", "512"): "",
    ("256", "4096"): "No Fargate configuration exists for given values",
    ("512", "512"): "No Fargate configuration exists for given values",
    ("4096", "8192"): "",
    ("4096", "7168"): "No Fargate configuration exists for given values",
    ("8192", "20480"): "",
    ("8192", "18432"): "No Fargate configuration exists for given values",
    ("16384", "122880"): "",
    ("300", "512"): "Invalid 'cpu' setting for task.",
    ("much", "512"): "Invalid 'cpu' setting for task.",
    ("256", "much"): "Invalid 'memory' setting for task.",
}


@pytest.mark.parametrize(("cpu", "memory"), list(SIZES))
def test_only_sizes_that_fargate_has_are_taken(tasks, cpu, memory):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"""
    said = SIZES[cpu, memory]
    if not said:
        assert tasks.define({}, cpu=cpu, memory=memory)
        return

    with pytest.raises(tasks.ecs.exceptions.ClientException, match=said):
        tasks.define({}, cpu=cpu, memory=memory)


REFUSED = {
    "no size": (({},), {"cpu": ""}, "Fargate requires that 'cpu' be defined at the task level."),
    "bridge": (({},), {"networkMode": "bridge"}, "Fargate only supports network mode"),
    "nothing essential": ((MIGRATE,), {}, "at least one essential container"),
    "a name twice": (({}, {}), {}, "Container name main is not unique"),
    "no execution role": (({},), {"executionRoleArn": ""}, "execution role ARN to support log driver awslogs"),
    "secrets without a role": (
        ({"secrets": [{"name": "A", "valueFrom": "b"}], "options": {}},),
        {"executionRoleArn": ""},
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    "an image of ECR without a role": (
        ({"image": "123456789012.dkr.ecr.us-east-1.example/shop:1"},),
        {"executionRoleArn": ""},
        "execution role ARN to support ECR images",
    ),
    "a log option is missing": (({"options": {"awslogs-group": ""}},), {}, "requires options: awslogs-group"),
    "an unknown volume": (
        ({"mountPoints": [{"sourceVolume": "a", "containerPath": "/a"}]},),
        {},
        "Unknown volume 'a'",
    ),
    "a folder of the host": (({},), {"volumes": [{"name": "a", "host": {"sourcePath": "/"}}]}, "host.sourcePath"),
    "the end of an essential container": (
        ({}, {"name": "b", "dependsOn": [{"containerName": "main", "condition": "COMPLETE"}]}),
        {},
        "COMPLETE condition can't be set on an essential container",
    ),
    "the health of what has no check": (
        ({}, {"name": "b", "dependsOn": [{"containerName": "main", "condition": "HEALTHY"}]}),
        {},
        "has a health check",
    ),
    "an unknown dependency": (
        ({"dependsOn": [{"containerName": "b", "condition": "START"}]},),
        {},
        "unknown container",
    ),
    "a cycle": (
        (
            {"dependsOn": [{"containerName": "b", "condition": "START"}]},
            {"name": "b", "dependsOn": [{"containerName": "main", "condition": "START"}]},
        ),
        {},
        "cycle",
    ),
    "patience without an end": (({"stopTimeout": 121},), {}, "max stop timeout value is 120 seconds"),
    "more than the task has": (({"memory": 513},), {}, "more than the memory of the task"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_can_not_run_is_refused_before_it_is_written_down(tasks, what):
    containers, more, said = REFUSED[what]

    with pytest.raises(ClientError, match=said) as told:
        tasks.define(*containers, **more)

    assert told.value.response["Error"]["Code"] == "ClientException"
    assert tasks.ecs.list_task_definitions(familyPrefix=f"task-{tasks.named}")["taskDefinitionArns"] == []
