"""RDS: what is a record alone, told as it was given."""

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture(scope="module")
def rds(held):
    return held.client("rds")


@pytest.mark.parametrize("mode", ["provisioned", "serverless"])
def test_a_cluster_has_the_scaling_that_it_was_given(rds, mode):
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html"""
    given = {
        "provisioned": {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 2.0}},
        "serverless": {"ScalingConfiguration": {"MinCapacity": 2, "MaxCapacity": 4}},
    }[mode]
    asked = {"Engine": "aurora-postgresql", "MasterUsername": "shop", "MasterUserPassword": "long-enough"}

    rds.create_db_cluster(DBClusterIdentifier=mode, EngineMode=mode, **asked, **given)

    found = rds.describe_db_clusters(DBClusterIdentifier=mode)["DBClusters"][0]
    assert found.get("ServerlessV2ScalingConfiguration") == given.get("ServerlessV2ScalingConfiguration")
    assert ("ScalingConfigurationInfo" in found) == (mode == "serverless")


def test_parameters_of_a_group_are_told_as_they_were_given(rds):
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html"""
    named = {"DBParameterGroupName": "given"}
    rds.create_db_parameter_group(**named, DBParameterGroupFamily="postgres16", Description="-")
    given = [
        {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "pending-reboot"},
        {"ParameterName": "log_min_duration_statement", "ParameterValue": "500", "ApplyMethod": "immediate"},
    ]

    rds.modify_db_parameter_group(**named, Parameters=given)

    found = rds.describe_db_parameters(**named, Source="user")["Parameters"]
    assert [{name: one[name] for name in given[0]} for one in found] == given
    assert {one["Source"] for one in found} == {"user"}
    rds.reset_db_parameter_group(**named, Parameters=given[:1])
    assert [one["ParameterName"] for one in rds.describe_db_parameters(**named)["Parameters"]] == [
        "log_min_duration_statement"
    ]
