"""A real account of AWS, and what is made in it for a while: the credentials are those that AWS's own programs find."""

import os
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest

from delivery.aws.access import AwsAccess
from delivery.aws.task_definition import TaskSettings
from delivery.ports.aws_account import AwsAccount

NAMED = "HEADWAY_VERIFY_AWS"
FOR_TASKS = ("CLUSTER", "SUBNETS", "SECURITY_GROUPS", "EXECUTION_ROLE", "LOG_GROUP")

collect_ignore_glob = [] if os.environ.get(NAMED) else ["*"]


@pytest.fixture(scope="session")
def access() -> AwsAccess:
    return AwsAccess(AwsAccount())


@pytest.fixture(scope="session")
def name() -> str:
    """What everything that is made here is called."""
    return f"headway-verify-{uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def bucket(access: AwsAccess, name: str) -> Iterator[str]:
    """A bucket of its own, gone with all that is in it at the end."""
    client = access.client("s3")
    region = client.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client.create_bucket(Bucket=name, **where)
    yield name
    found = boto3.resource("s3", region_name=region).Bucket(name)
    found.objects.delete()
    found.delete()


@pytest.fixture(scope="session")
def task_settings(bucket: str) -> TaskSettings:
    """What an account has for tasks: named by whoever asks for this, because it is made by Terraform and costs."""
    given = {key: os.environ.get(f"{NAMED}_{key}", "") for key in FOR_TASKS}
    missing = [f"{NAMED}_{key}" for key, value in given.items() if not value]
    if missing:
        pytest.fail(f"set {', '.join(missing)}: a cluster for Fargate, its network and the role that tasks start with")
    return TaskSettings(
        cluster=given["CLUSTER"],
        subnets=tuple(given["SUBNETS"].split(",")),
        security_groups=tuple(given["SECURITY_GROUPS"].split(",")),
        execution_role=given["EXECUTION_ROLE"],
        log_group=given["LOG_GROUP"],
        bucket=bucket,
        public_address=os.environ.get(f"{NAMED}_PUBLIC_ADDRESS", "") == "true",
        courier_image=os.environ.get(f"{NAMED}_COURIER_IMAGE") or TaskSettings.courier_image,
    )
