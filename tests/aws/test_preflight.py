"""What an environment's tasks need is looked at, and what is wrong has a step."""

from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from delivery.aws import preflight
from delivery.aws.preflight import task_looks
from delivery.ports.preflight import look_at
from tests.support.aws_room import make_room

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture(scope="module")
def room(aws):
    aws.client("s3").create_bucket(Bucket="shop-tasks")
    return make_room(aws.client, "shop-tasks")


def found(aws, settings):
    return {one.what: one for one in look_at(task_looks(aws.access(tries=2), settings))}


def test_a_place_that_has_everything_is_well(aws, room):
    seen = found(aws, room)

    assert [one.what for one in seen.values() if not one.is_well] == []
    assert seen["cluster shop"].found == "ACTIVE"
    assert seen["size of tasks"].found == "256 units of CPU, 512 MiB"
    assert "free addresses" in seen["network of tasks"].found


@pytest.mark.parametrize(
    ("wrong", "what", "said", "step"),
    [
        ({"cluster": "none"}, "cluster none", "none of that name", "aws ecs create-cluster --cluster-name none"),
        ({"subnets": ("subnet-0",)}, "network of tasks", "subnet-0", ""),
        ({"security_groups": ("sg-0",)}, "network of tasks", "sg-0", ""),
        ({"log_group": "/none"}, "log group /none", "there is none of that name", "aws logs create-log-group"),
        (
            {"bucket": "shop-nowhere"},
            "bucket shop-nowhere",
            "there is none of that name",
            "aws s3 mb s3://shop-nowhere",
        ),
        ({"memory": 600}, "size of tasks", "600 MiB, which Fargate does not have with 256 units of CPU", ""),
    ],
)
def test_what_is_wrong_is_told_with_what_mends_it(wrong, what, said, step, aws, room):
    seen = found(aws, replace(room, **wrong))

    assert [one.what for one in seen.values() if not one.is_well] == [what]
    assert said in seen[what].found
    assert step in seen[what].next_step


def test_a_subnet_of_another_network_is_told(aws, room):
    ec2 = aws.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=other, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]

    seen = found(aws, replace(room, subnets=(subnet,)))

    assert not seen["network of tasks"].is_well
    assert other in seen["network of tasks"].found


@pytest.mark.parametrize(("value", "is_well"), [(6.0, True), (0.1, False)])
def test_a_quota_that_one_task_does_not_fit_in_is_told(value, is_well, room):
    """The local AWS knows no quota of Fargate; the answer has the shape of the service's model."""
    client = boto3.client("service-quotas", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubbed:
        asked = {"ServiceCode": "fargate", "QuotaCode": preflight.FARGATE_VCPUS}
        stubbed.add_response("get_service_quota", {"Quota": {"Value": value}}, asked)
        access = SimpleNamespace(client=lambda _: client)
        [seen] = [one.finding() for one in task_looks(access, room) if one.what == "quota of Fargate"]

    assert seen.is_well is is_well
    assert seen.found.endswith(f"{value:g} vCPU, and one task takes 0.25")
