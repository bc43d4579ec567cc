"""CodeDeploy: applications, groups and configurations are told as they were given.

What AWS says stands with each operation in local_aws/services/codedeploy*.py.
"""

import pytest
from botocore.exceptions import ClientError

from tests.support.ecs import ROLE

pytestmark = pytest.mark.xdist_group("local-aws")
GROUP = {
    "serviceRoleArn": ROLE,
    "alarmConfiguration": {"enabled": True, "ignorePollAlarmFailure": False, "alarms": [{"name": "5xx"}]},
    "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]},
    "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "blueGreenDeploymentConfiguration": {
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5},
        "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 10},
    },
    "loadBalancerInfo": {
        "targetGroupPairInfoList": [
            {
                "targetGroups": [{"name": "blue"}, {"name": "green"}],
                "prodTrafficRoute": {"listenerArns": ["arn:aws:elasticloadbalancing:us-east-1:1:listener/a"]},
                "testTrafficRoute": {"listenerArns": ["arn:aws:elasticloadbalancing:us-east-1:1:listener/b"]},
            }
        ]
    },
    "ecsServices": [{"serviceName": "shop", "clusterName": "main"}],
}
CANARY = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 20, "canaryInterval": 1}}


@pytest.fixture(scope="module")
def codedeploy(held):
    return held.client("codedeploy")


@pytest.fixture
def app(codedeploy):
    codedeploy.create_application(applicationName="app", computePlatform="ECS", tags=[{"Key": "a", "Value": "b"}])
    yield "app"
    codedeploy.delete_application(applicationName="app")


@pytest.fixture
def group(codedeploy, app):
    codedeploy.create_deployment_group(applicationName=app, deploymentGroupName="group", **GROUP)
    return {"applicationName": app, "deploymentGroupName": "group"}


def told(codedeploy, group):
    return codedeploy.get_deployment_group(**group)["deploymentGroupInfo"]


def arn(kind, name):
    return f"arn:aws:codedeploy:us-east-1:123456789012:{kind}:{name}"


def error_of(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


def test_a_group_is_told_exactly_as_it_was_given(codedeploy, group):
    found = told(codedeploy, group)

    assert {name: found[name] for name in GROUP} == GROUP
    assert (found["deploymentConfigName"], found["computePlatform"]) == ("CodeDeployDefault.ECSAllAtOnce", "ECS")
    several = codedeploy.batch_get_deployment_groups(applicationName="app", deploymentGroupNames=["group"])
    assert several["deploymentGroupsInfo"] == [found]


def test_an_update_of_a_group_replaces_what_it_names_and_keeps_the_rest(codedeploy, group):
    alarms = {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "slow"}, {"name": "5xx"}]}
    before = told(codedeploy, group)

    codedeploy.update_deployment_group(
        applicationName="app",
        currentDeploymentGroupName="group",
        newDeploymentGroupName="new",
        alarmConfiguration=alarms,
    )

    assert error_of(codedeploy.get_deployment_group, **group) == "DeploymentGroupDoesNotExistException"
    found = told(codedeploy, {**group, "deploymentGroupName": "new"})
    assert found == {**before, "alarmConfiguration": alarms, "deploymentGroupName": "new"}


def test_a_group_that_cannot_deploy_to_ecs_is_refused(codedeploy, app):
    asked = {"applicationName": app, "deploymentGroupName": "other"}
    in_place = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}

    def refused(**more):
        return error_of(codedeploy.create_deployment_group, **{**asked, **GROUP, **more})

    assert refused(deploymentStyle=in_place) == "InvalidDeploymentStyleException"
    assert refused(ecsServices=[]) == "InvalidECSServiceException"
    assert refused(loadBalancerInfo={}) == "InvalidLoadBalancerInfoException"
    assert refused(deploymentConfigName="none") == "DeploymentConfigDoesNotExistException"
    assert refused(applicationName="none") == "ApplicationDoesNotExistException"
    assert codedeploy.list_deployment_groups(applicationName=app)["deploymentGroups"] == []


def test_a_group_and_an_application_end_and_may_be_ended_again(codedeploy, group):
    assert codedeploy.delete_deployment_group(**group)["hooksNotCleanedUp"] == []
    assert codedeploy.delete_deployment_group(**group)["hooksNotCleanedUp"] == []
    assert error_of(codedeploy.get_deployment_group, **group) == "DeploymentGroupDoesNotExistException"

    for _ in range(2):
        codedeploy.delete_application(applicationName="app")
    assert error_of(codedeploy.get_application, applicationName="app") == "ApplicationDoesNotExistException"
    assert codedeploy.list_tags_for_resource(ResourceArn=arn("application", "app"))["Tags"] == []


def test_an_application_is_renamed_with_its_groups_and_tags(codedeploy, group):
    codedeploy.update_application(applicationName="app", newApplicationName="renamed")

    found = told(codedeploy, {**group, "applicationName": "renamed"})
    assert found["applicationName"] == "renamed"
    tags = codedeploy.list_tags_for_resource(ResourceArn=arn("application", "renamed"))["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    codedeploy.delete_application(applicationName="renamed")


def test_tags_of_applications_and_groups_are_changed(codedeploy, group):
    for resource in (arn("application", "app"), arn("deploymentgroup", "app/group")):
        codedeploy.tag_resource(ResourceArn=resource, Tags=[{"Key": "c", "Value": "d"}])
        codedeploy.untag_resource(ResourceArn=resource, TagKeys=["a"])

        assert codedeploy.list_tags_for_resource(ResourceArn=resource)["Tags"] == [{"Key": "c", "Value": "d"}]


def test_a_configuration_is_told_as_it_was_given(codedeploy):
    asked = {"deploymentConfigName": "fast", "computePlatform": "ECS", "trafficRoutingConfig": CANARY}

    made = codedeploy.create_deployment_config(**asked)["deploymentConfigId"]

    found = codedeploy.get_deployment_config(deploymentConfigName="fast")["deploymentConfigInfo"]
    assert {name: found[name] for name in asked} == asked
    assert found["deploymentConfigId"] == made
    assert error_of(codedeploy.create_deployment_config, **asked) == "DeploymentConfigAlreadyExistsException"
    assert "fast" in codedeploy.list_deployment_configs()["deploymentConfigsList"]
    codedeploy.delete_deployment_config(deploymentConfigName="fast")
    gone = error_of(codedeploy.get_deployment_config, deploymentConfigName="fast")
    assert gone == "DeploymentConfigDoesNotExistException"


def test_a_configuration_that_is_used_or_is_always_there_is_not_deleted(codedeploy, group):
    codedeploy.create_deployment_config(
        deploymentConfigName="used", computePlatform="ECS", trafficRoutingConfig={"type": "AllAtOnce"}
    )
    update = {"applicationName": "app", "currentDeploymentGroupName": "group"}
    codedeploy.update_deployment_group(**update, deploymentConfigName="used")
    delete = codedeploy.delete_deployment_config

    assert error_of(delete, deploymentConfigName="used") == "DeploymentConfigInUseException"
    predefined = "CodeDeployDefault.ECSAllAtOnce"
    assert error_of(delete, deploymentConfigName=predefined) == "InvalidOperationException"
    codedeploy.update_deployment_group(**update, deploymentConfigName=predefined)
    delete(deploymentConfigName="used")
    assert error_of(codedeploy.get_deployment_config, deploymentConfigName="used")


@pytest.mark.parametrize(
    ("name", "routing"),
    [
        ("ECSAllAtOnce", {"type": "AllAtOnce"}),
        (
            "ECSLinear10PercentEvery3Minutes",
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 3}},
        ),
        (
            "ECSCanary10Percent15Minutes",
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 15}},
        ),
        (
            "LambdaLinear10PercentEvery1Minute",
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 1}},
        ),
    ],
)
def test_the_configurations_of_aws_are_there(codedeploy, name, routing):
    """https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html"""
    name = f"CodeDeployDefault.{name}"

    found = codedeploy.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]

    assert found["trafficRoutingConfig"] == routing
    listed = codedeploy.list_deployment_configs()["deploymentConfigsList"]
    assert name in listed
    assert len({one for one in listed if one.startswith("CodeDeployDefault.")}) == 17


def test_a_configuration_that_shifts_nothing_or_takes_a_name_of_aws_is_refused(codedeploy):
    create, ecs = codedeploy.create_deployment_config, {"computePlatform": "ECS"}
    nothing = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 0, "canaryInterval": 1}}

    routed = error_of(create, deploymentConfigName="x", trafficRoutingConfig=nothing, **ecs)
    assert routed == "InvalidTrafficRoutingConfigurationException"
    named = error_of(create, deploymentConfigName="CodeDeployDefault.Mine", trafficRoutingConfig=CANARY, **ecs)
    assert named == "InvalidDeploymentConfigNameException"
    assert error_of(create, deploymentConfigName="x") == "InvalidMinimumHealthyHostValueException"
