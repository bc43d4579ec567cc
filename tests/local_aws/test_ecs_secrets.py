"""Secrets of tasks: looked up when a task starts, and found in its containers alone."""

import json

import pytest

from delivery.docker.engine.client import connect
from tests.support.ecs import address, of

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-ecs")]
OLD, NEW = "planted-old-3f1c", "planted-new-77ab"


@pytest.fixture(scope="module")
def tasks(running):
    return running


@pytest.fixture(scope="module")
def secret(tasks):
    """A secret of a user and a password that was changed once."""
    secrets = tasks.client("secretsmanager")
    made = secrets.create_secret(Name="shop/database", SecretString=json.dumps({"user": "shop", "password": OLD}))
    changed = secrets.put_secret_value(
        SecretId=made["ARN"], SecretString=json.dumps({"user": "shop", "password": NEW, "port": 5432})
    )
    return {"arn": made["ARN"], "old": made["VersionId"], "new": changed["VersionId"]}


def with_secrets(**sources: str) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": source} for name, source in sources.items()]


def test_a_secret_a_key_a_stage_a_version_and_a_parameter_come_into_the_container_alone(tasks, secret):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html"""
    parameters = tasks.client("ssm")
    parameters.put_parameter(Name="/shop/mode", Value="quiet", Type="SecureString")
    parameters.put_parameter(Name="plain", Value="loud", Type="String")
    arn = secret["arn"]
    sources = with_secrets(
        WHOLE=arn,
        PASSWORD=f"{arn}:password::",
        PORT=f"{arn}:port::",
        BEFORE=f"{arn}:password:AWSPREVIOUS:",
        FIRST=f"{arn}:password::{secret['old']}",
        MODE="arn:aws:ssm:us-east-1:123456789012:parameter/shop/mode",
        PLAIN="plain",
    )
    script = (
        "for name in WHOLE PASSWORD PORT BEFORE FIRST MODE PLAIN; do eval echo -n \\$$name | md5sum | cut -c1-8; done"
    )
    arn = tasks.run(tasks.define({"script": f"{script}; sleep 600", "secrets": sources, "stopTimeout": 0}))
    running = tasks.when(arn, lambda task: task["lastStatus"] == "RUNNING")

    found = connect().containers.get(of(running)["runtimeId"])
    told = dict(one.partition("=")[::2] for one in found.attrs["Config"]["Env"])
    assert {name: told[name] for name in ("PASSWORD", "PORT", "BEFORE", "FIRST", "MODE", "PLAIN")} == {
        "PASSWORD": NEW,
        "PORT": "5432",
        "BEFORE": OLD,
        "FIRST": OLD,
        "MODE": "quiet",
        "PLAIN": "loud",
    }
    assert json.loads(told["WHOLE"])["password"] == NEW
    elsewhere = {**found.attrs, "Config": {**found.attrs["Config"], "Env": []}}
    assert (NEW in str(elsewhere), NEW in str(running), address(running) != "") == (False, False, True)
    tasks.ecs.stop_task(cluster=running["clusterArn"], task=arn)
    stopped = tasks.stopped(arn)
    assert NEW not in str(
        [stopped, tasks.lines(arn), tasks.ecs.describe_task_definition(taskDefinition=stopped["taskDefinitionArn"])]
    )


ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-AbCdEf"
PREFIX = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


def test_a_secret_that_can_not_be_had_ends_the_task_before_anything_runs(tasks, secret):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html"""
    wanted = {
        ARN: f"failed to fetch secret {ARN} from secrets manager: ResourceNotFoundException",
        f"{secret['arn']}:pass::": "retrieved secret from Secrets Manager did not contain json key pass",
        f"{secret['arn']}:password:AWSPENDING:": "ResourceNotFoundException",
        "nowhere": "unable to retrieve secrets from ssm: service call has been retried 1 time(s): ParameterNotFound",
    }
    runs = {
        tasks.run(tasks.define({"script": "echo ran", "secrets": with_secrets(A=source)})): said
        for source, said in wanted.items()
    }

    for arn, said in runs.items():
        task = tasks.stopped(arn)
        assert (task["stopCode"], "startedAt" in task) == ("TaskFailedToStart", False)
        reason = task["stoppedReason"]
        assert (reason.startswith(PREFIX), said in reason) == (True, True), reason
        assert (NEW in str(task), "exitCode" in of(task)) == (False, False)


@pytest.mark.long
def test_a_throttle_on_the_way_to_a_secret_is_tried_again(tasks, secret):
    tasks.server.put_faults({"service": "secretsmanager", "operation": "GetSecretValue", "kind": "throttled"})

    task = tasks.outcome({"script": "true", "secrets": with_secrets(A=secret["arn"])})

    assert (of(task)["exitCode"], tasks.server.faults_left()) == (0, [])


@pytest.mark.long
def test_a_task_asks_as_its_role_in_its_account(tasks):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html"""
    script = "import os, json; print(os.environ['AWS_SESSION_TOKEN'] != '')"
    role = "arn:aws:iam::123456789012:role/shop-task"
    arn = tasks.run(
        tasks.define(
            {"image": "python:3.11-alpine", "command": ["python", "-c", script]},
            taskRoleArn=role,
        )
    )

    assert of(tasks.stopped(arn))["exitCode"] == 0
    assert tasks.lines(arn) == ["True"]
