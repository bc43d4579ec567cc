"""IAM: what is there without anybody having made it."""

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.mark.parametrize(
    "policy",
    [
        "service-role/AmazonECSTaskExecutionRolePolicy",
        "AWSCodeDeployRoleForECS",
        "service-role/AWSBackupServiceRolePolicyForBackup",
        "service-role/AWSBackupServiceRolePolicyForRestores",
    ],
)
def test_a_policy_that_aws_manages_is_attached(held, policy):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html"""
    iam, name = held.client("iam"), policy.rpartition("/")[2]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")

    iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")

    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == [name]
