"""Every fault of AWS in every port: the right error where it lasts, and the effect of once where it passes."""

from collections.abc import Callable
from types import SimpleNamespace
from uuid import uuid4

import pytest

from delivery.aws import access
from delivery.aws.ecr import EcrImages
from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase, RdsSettings
from delivery.aws.s3_leases import S3Leases
from delivery.aws.s3_store import S3Store
from delivery.aws.secrets import SecretsManager
from delivery.aws.task_definition import TaskSettings
from delivery.errors import Misconfigured, Transient
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.aws_secret import AwsSecretName

pytestmark = pytest.mark.xdist_group("local-aws")
ARN = "arn:aws:iam::123456789012:role/execution"


@pytest.fixture
def room(aws, tmp_path, monkeypatch):
    """All that there is of AWS behind the ports, in a room of the test's own; a request is waited for shortly."""
    monkeypatch.setattr(access, "READ_SECONDS", 0.5)
    name, here = f"shop-{uuid4().hex[:8]}", aws.access(tries=2)
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("ecs").create_cluster(clusterName=name)
    aws.client("secretsmanager").create_secret(Name=name, SecretString="value")
    settings = TaskSettings(name, ("subnet-1",), ("sg-1",), ARN, "/shop", name)
    environment = EnvironmentSettings(app="shop", environment="production")
    jobs = EcsJobs(here, settings, environment)
    yield SimpleNamespace(
        name=name,
        store=S3Store(here.client("s3"), name),
        leases=S3Leases(here.client("s3"), name),
        secrets=SecretsManager(here),
        images=EcrImages(here),
        jobs=jobs,
        database=RdsDatabase(here, jobs, environment, RdsSettings(name), "run-1"),
        job=Job(name="try", image="busybox", run="run-1", log=tmp_path / "log"),
        take=lambda holder: S3Leases(here.client("s3"), name).take("shop", name, holder=holder, reason="r"),
    )
    aws.put_faults()


Act = Callable[[SimpleNamespace], object]
# The port, what it asks of AWS, how it is used, and what a policy has to allow.
PORTS: list[tuple[str, str, str, Act, str]] = [
    ("store", "s3", "PUT .*", lambda room: room.store.put("a", b"{}"), "s3:PutObject"),
    ("store read", "s3", "GET .*", lambda room: room.store.get("a"), "s3:GetObject"),
    ("store listed", "s3", "GET .*", lambda room: list(room.store.keys("a")), "s3:ListBucket"),
    ("leases", "s3", "PUT .*", lambda room: room.take("one"), "s3:PutObject"),
    (
        "secrets",
        "secretsmanager",
        "GetSecretValue",
        lambda room: room.secrets.read(AwsSecretName(room.name)),
        "secretsmanager:GetSecretValue",
    ),
    ("registry", "ecr", "CreateRepository", lambda room: room.images.ensure(room.name), "ecr:CreateRepository"),
    ("registry's login", "ecr", "GetAuthorizationToken", lambda room: room.images.login(), "ecr:GetAuthorizationToken"),
    ("jobs", "ecs", "RegisterTaskDefinition", lambda room: room.jobs.run(room.job), "ecs:RegisterTaskDefinition"),
    ("jobs' start", "ecs", "RunTask", lambda room: room.jobs.run(room.job), "ecs:RunTask"),
    ("database", "rds", "DescribeDBInstances", lambda room: room.database.ensure(), "rds:DescribeDBInstances"),
]
each_port = pytest.mark.parametrize(
    ("service", "operation", "act", "action"), [one[1:] for one in PORTS], ids=[one[0] for one in PORTS]
)


@each_port
@pytest.mark.parametrize(
    "kind", ["throttled", *(pytest.param(one, marks=pytest.mark.long) for one in ("error", "hang"))]
)
def test_what_may_heal_by_itself_is_told_as_such_when_it_lasts(aws, room, kind, service, operation, act, action):
    aws.put_faults({"service": service, "operation": operation, "kind": kind, "times": 100, "seconds": 1})

    with pytest.raises(Transient, match=r"AWS|leases"):
        act(room)


@each_port
def test_what_is_not_allowed_is_told_with_the_action_that_is_missing(aws, room, service, operation, act, action):
    aws.put_faults({"service": service, "operation": operation, "kind": "denied", "times": 100})

    with pytest.raises(Misconfigured) as told:
        act(room)

    assert told.value.next_step == f"allow {action} to the role or user of this phase"


@pytest.mark.parametrize(
    "kind", ["answer lost", *(pytest.param(one, marks=pytest.mark.long) for one in ("error", "throttled"))]
)
def test_what_passes_has_the_effect_of_once(aws, room, kind):
    def once(service: str, operation: str) -> None:
        aws.put_faults({"service": service, "operation": operation, "kind": kind})

    once("s3", "PUT .*")
    room.store.put("a", b"first")
    once("s3", "PUT .*")
    lease = room.take("one")
    once("secretsmanager", "GetSecretValue")
    value = room.secrets.read(AwsSecretName(room.name)).get_secret_value()
    once("ecr", "CreateRepository")
    room.images.ensure(room.name)

    with pytest.raises(FileExistsError):
        room.store.put("a", b"second")
    assert (room.store.get("a"), lease.sequence, value) == (b"first", 1, "value")
    assert room.leases.read("shop", room.name).holder == "one"
    assert aws.faults_left() == []
