"""What an account has for the programs of an environment: on a local AWS made in a moment, by Terraform elsewhere."""

from collections.abc import Callable
from typing import Any

from delivery.aws.task_definition import TaskSettings

COURIER = "python:3.11-alpine"
INSTANCE = {
    "DBInstanceIdentifier": "shop",
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "AllocatedStorage": 20,
    "MasterUsername": "master",
}


def make_room(client: Callable[[str], Any], bucket: str, role: str = "execution") -> TaskSettings:
    """Make a cluster, a network, a role and a log group, and return how tasks are run with them; `bucket` is there."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    trust = '{"Version": "2012-10-17", "Statement": []}'
    execution = client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    client("ecs").create_cluster(clusterName="shop")
    client("logs").create_log_group(logGroupName="/headway/shop")
    return TaskSettings(
        cluster="shop",
        subnets=(subnet,),
        security_groups=(group,),
        execution_role=execution,
        log_group="/headway/shop",
        bucket=bucket,
        courier_image=COURIER,
    )
