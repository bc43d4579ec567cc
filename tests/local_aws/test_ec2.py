"""EC2: what security groups say of their rules, and of those that are gone."""

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.mark.parametrize("source", ["group", "network"])
def test_a_rule_of_a_security_group_says_why_it_is_there(held, source):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html"""
    ec2 = held.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group, other = (
        ec2.create_security_group(GroupName=f"{source}-{name}", Description=name, VpcId=vpc)["GroupId"]
        for name in ("a", "b")
    )
    told = {"Description": "Clients of the database"}
    wanted = {
        "group": {"UserIdGroupPairs": [{"GroupId": other, **told}]},
        "network": {"IpRanges": [{"CidrIp": "10.0.0.0/8", **told}]},
    }
    port = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}

    [rule] = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**port, **wanted[source]}])[
        "SecurityGroupRules"
    ]
    [found] = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])[
        "SecurityGroupRules"
    ]

    assert (rule["Description"], found["Description"]) == ("Clients of the database",) * 2


@pytest.mark.parametrize("way", ["egress", "ingress"])
def test_a_rule_that_is_taken_out_twice_is_told_to_be_gone(held, way):
    """A client that lost the answer asks again, and takes this one for done.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    ec2 = held.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=f"twice-{way}", Description="twice", VpcId=vpc)["GroupId"]
    port = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    authorize, revoke = (getattr(ec2, f"{verb}_security_group_{way}") for verb in ("authorize", "revoke"))
    [rule] = authorize(GroupId=group, IpPermissions=[port])["SecurityGroupRules"]
    revoke(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])

    with pytest.raises(ClientError) as told:
        revoke(GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])

    assert told.value.response["Error"]["Code"] == "InvalidSecurityGroupRuleId.NotFound"
