"""ECS's services: what is given of one is told again.

What AWS says stands with each operation in local_aws/services/ecs_services.py.
"""

import pytest

from tests.support.ecs import CLUSTER

pytestmark = pytest.mark.xdist_group("local-aws")
CIRCUIT = {"enable": True, "rollback": True}


@pytest.fixture(scope="module")
def tasks(held):
    return held


@pytest.fixture(scope="module")
def definition(tasks):
    return tasks.define({"name": "main"})


@pytest.fixture
def create(tasks, definition, request):
    """Create a service, and delete it at the end."""
    name = request.node.name.replace("[", "-").replace("]", "")

    def create(controller="ECS", **more):
        asked = {"cluster": CLUSTER, "serviceName": name, "taskDefinition": definition, "desiredCount": 1}
        asked |= {"launchType": "FARGATE", "networkConfiguration": network(tasks)}
        return tasks.ecs.create_service(**asked, deploymentController={"type": controller}, **more)["service"]

    yield create
    tasks.ecs.delete_service(cluster=CLUSTER, service=name, force=True)


def network(tasks):
    group = tasks.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    return {"awsvpcConfiguration": {**tasks.network()["awsvpcConfiguration"], "securityGroups": [group]}}


def described(tasks, service, **more):
    return tasks.ecs.describe_services(cluster=CLUSTER, services=[service["serviceArn"]], **more)["services"][0]


@pytest.mark.parametrize("controller", ["ECS", "CODE_DEPLOY"])
def test_a_service_is_told_as_it_was_given(tasks, create, controller):
    given = {
        "availabilityZoneRebalancing": "ENABLED" if controller == "ECS" else "DISABLED",
        "healthCheckGracePeriodSeconds": 30,
        "enableECSManagedTags": True,
        "enableExecuteCommand": True,
    }
    configuration = {"maximumPercent": 150, "minimumHealthyPercent": 50}
    if controller == "ECS":
        configuration["deploymentCircuitBreaker"] = CIRCUIT
        configuration["alarms"] = {"alarmNames": ["5xx"], "enable": True, "rollback": True}

    made = create(controller, **given, deploymentConfiguration=configuration)

    found = described(tasks, made)
    assert {name: found[name] for name in given} == given == {name: made[name] for name in given}
    assert {name: found["deploymentConfiguration"][name] for name in configuration} == configuration
    assert (found["deploymentController"], found["createdAt"]) == ({"type": controller}, made["createdAt"])


@pytest.mark.parametrize(("controller", "spread"), [("ECS", "ENABLED"), ("CODE_DEPLOY", "DISABLED")])
def test_a_service_of_which_little_is_given_has_what_aws_gives_it(tasks, create, controller, spread):
    found = described(tasks, create(controller))

    told = found["deploymentConfiguration"]
    assert (told["maximumPercent"], told["minimumHealthyPercent"]) == (200, 100)
    assert (found["healthCheckGracePeriodSeconds"], found["availabilityZoneRebalancing"]) == (0, spread)
    assert ("deploymentCircuitBreaker" in told) == (controller == "ECS")


def test_an_update_changes_what_it_names_and_keeps_the_rest(tasks, create, definition):
    made = create(healthCheckGracePeriodSeconds=30, deploymentConfiguration={"deploymentCircuitBreaker": CIRCUIT})
    asked = {"cluster": CLUSTER, "service": made["serviceName"]}

    tasks.ecs.update_service(**asked, desiredCount=2, deploymentConfiguration={"maximumPercent": 125})

    found = described(tasks, made)
    assert (found["desiredCount"], found["healthCheckGracePeriodSeconds"]) == (2, 30)
    assert found["deploymentConfiguration"]["maximumPercent"] == 125
    assert found["deploymentConfiguration"]["deploymentCircuitBreaker"] == CIRCUIT
    tasks.ecs.update_service(**asked, healthCheckGracePeriodSeconds=0, availabilityZoneRebalancing="DISABLED")
    found = described(tasks, made)
    assert (found["healthCheckGracePeriodSeconds"], found["availabilityZoneRebalancing"]) == (0, "DISABLED")


def test_what_codedeploy_changes_is_not_changed_by_an_update(tasks, create, definition):
    made = create("CODE_DEPLOY")
    asked = {"cluster": CLUSTER, "service": made["serviceName"]}

    for change in ({"taskDefinition": definition}, {"platformVersion": "1.4.0"}, {"forceNewDeployment": True}):
        with pytest.raises(tasks.ecs.exceptions.InvalidParameterException, match="Use AWS CodeDeploy"):
            tasks.ecs.update_service(**asked, **change)

    told = tasks.ecs.update_service(**asked, desiredCount=3, healthCheckGracePeriodSeconds=5)["service"]
    assert (told["desiredCount"], told["healthCheckGracePeriodSeconds"]) == (3, 5)


def test_a_service_is_taken_from_codedeploy_and_has_the_definition_it_is_given(tasks, create):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/migrate-code-deploy-to-ecs-blue-green.html"""
    made, other = create("CODE_DEPLOY"), tasks.define({"name": "main"}, family="other")

    tasks.ecs.update_service(
        cluster=CLUSTER,
        service=made["serviceName"],
        deploymentController={"type": "ECS"},
        taskDefinition=other.rpartition("/")[2],
    )

    found = described(tasks, made)
    assert (found["deploymentController"], found["taskDefinition"]) == ({"type": "ECS"}, other)


def test_the_tags_of_a_service_are_read_in_both_ways_and_changed(tasks, create):
    made = create(tags=[{"key": "a", "value": "b"}], propagateTags="SERVICE")

    tasks.ecs.tag_resource(resourceArn=made["serviceArn"], tags=[{"key": "c", "value": "d"}])
    tasks.ecs.untag_resource(resourceArn=made["serviceArn"], tagKeys=["a"])

    assert tasks.ecs.list_tags_for_resource(resourceArn=made["serviceArn"])["tags"] == [{"key": "c", "value": "d"}]
    found = described(tasks, made, include=["TAGS"])
    assert (found["tags"], found["propagateTags"]) == ([{"key": "c", "value": "d"}], "SERVICE")
    assert "tags" not in described(tasks, made)


def test_a_service_ends_by_force_or_with_no_tasks_wanted_and_is_not_listed(tasks, create):
    made = create()
    asked = {"cluster": CLUSTER, "service": made["serviceName"]}
    with pytest.raises(tasks.ecs.exceptions.InvalidParameterException, match="scaled above 0"):
        tasks.ecs.delete_service(**asked)
    with pytest.raises(tasks.ecs.exceptions.InvalidParameterException, match="not idempotent"):
        create()

    assert tasks.ecs.delete_service(**asked, force=True)["service"]["status"] == "INACTIVE"

    assert made["serviceArn"] not in tasks.ecs.list_services(cluster=CLUSTER)["serviceArns"]
    assert described(tasks, made)["status"] == "INACTIVE"
    with pytest.raises(tasks.ecs.exceptions.ServiceNotActiveException):
        tasks.ecs.update_service(**asked, desiredCount=0)
    assert create()["status"] == "ACTIVE"
