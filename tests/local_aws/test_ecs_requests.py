"""RunTask, StopTask, DescribeTasks, ListTasks: what is asked, refused and written down, before anything runs."""

import pytest
from botocore.exceptions import ClientError

from delivery.waiting import until
from tests.support.ecs import CLUSTER, HELD, of

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture(scope="module")
def tasks(held):
    return held


@pytest.fixture(scope="module")
def definition(tasks):
    return tasks.define({"name": "main", "script": "true"}, {"name": "beside"}, tags=[{"key": "of", "value": "family"}])


def refused(tasks, definition, **asked) -> tuple[str, str]:
    with pytest.raises(ClientError) as told:
        tasks.request(definition, **asked)
    return told.value.response["Error"]["Code"], told.value.response["Error"]["Message"]


def test_a_new_task_is_provisioning_with_everything_that_was_asked(tasks, definition):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html"""
    overrides = {
        "containerOverrides": [
            {"name": "main", "command": ["false"], "environment": [{"name": "A", "value": "b"}], "memory": 100}
        ]
    }
    made = tasks.request(definition, overrides=overrides, startedBy="me", tags=[{"key": "a", "value": "b"}], count=2)

    assert (len(made["tasks"]), made["failures"]) == (2, [])
    found = tasks.describe(made["tasks"][0]["taskArn"], include=["TAGS"])
    assert (found["lastStatus"], found["desiredStatus"]) == ("PROVISIONING", "RUNNING")
    assert (found["startedBy"], found["group"], found["launchType"]) == (
        "me",
        f"family:{definition.rpartition('/')[2].partition(':')[0]}",
        "FARGATE",
    )
    assert found["overrides"]["containerOverrides"] == overrides["containerOverrides"]
    assert (found["tags"], found["cpu"], found["memory"]) == ([{"key": "a", "value": "b"}], "256", "512")
    assert (found["platformVersion"], found["attachments"][0]["status"]) == ("1.4.0", "PRECREATED")
    assert [(one["name"], one["lastStatus"]) for one in found["containers"]] == [
        ("main", "PENDING"),
        ("beside", "PENDING"),
    ]
    assert "tags" not in tasks.describe(found["taskArn"])


def test_describing_a_task_changes_nothing(tasks, definition):
    arn = tasks.run(definition)

    assert len({str({**tasks.describe(arn), "ResponseMetadata": None}) for _ in range(5)}) == 1


def test_tags_come_from_the_definition_when_asked(tasks, definition):
    """RunTask: "If no value is specified, the tags aren't propagated."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    """
    arn = tasks.run(definition, propagateTags="TASK_DEFINITION", tags=[{"key": "a", "value": "b"}])

    assert tasks.describe(arn, include=["TAGS"])["tags"] == [
        {"key": "of", "value": "family"},
        {"key": "a", "value": "b"},
    ]
    assert tasks.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == tasks.describe(arn, include=["TAGS"])["tags"]


def test_a_request_that_comes_again_starts_nothing_again(tasks, definition):
    """RunTask: "An identifier that you provide to ensure the idempotency of the request."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    """
    first = tasks.request(definition, clientToken="once", count=2)
    again = tasks.request(definition, clientToken="once", count=2)

    assert [one["taskArn"] for one in again["tasks"]] == [one["taskArn"] for one in first["tasks"]]
    with pytest.raises(tasks.ecs.exceptions.ConflictException) as told:
        tasks.request(definition, clientToken="once", count=3)
    assert told.value.response["resourceIds"] == [one["taskArn"] for one in first["tasks"]]


def test_a_lost_answer_does_not_run_a_task_twice(tasks, definition):
    tasks.server.put_faults({"service": "ecs", "operation": "RunTask", "kind": "answer lost"}, HELD)

    arn = tasks.run(definition, startedBy="lost")

    assert tasks.ecs.list_tasks(cluster=CLUSTER, startedBy="lost")["taskArns"] == [arn]


NOT_RUN = {
    "no cluster": ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
    "no network": (
        {"networkConfiguration": {}},
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    "no such subnet": (
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}},
        "InvalidParameterException",
        "The subnet ID 'subnet-1' does not exist (ErrorCode: InvalidSubnetID.NotFound)",
    ),
    "no such container": (
        {"overrides": {"containerOverrides": [{"name": "other"}]}},
        "InvalidParameterException",
        "Override for container named other is not a container in the TaskDefinition.",
    ),
    "overrides without end": (
        {"overrides": {"containerOverrides": [{"name": "main", "command": ["x" * 8192]}]}},
        "InvalidParameterException",
        "Container Overrides length must be at most 8192",
    ),
    "too many": ({"count": 11}, "InvalidParameterException", "between 1 and 10"),
    "both ways": (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        "InvalidParameterException",
        "Specifying both a launch type and capacity provider strategy is not supported.",
    ),
    "no instances": ({"launchType": "EC2"}, "InvalidParameterException", "No Container Instances were found"),
    "tags of no service": ({"propagateTags": "SERVICE"}, "InvalidParameterException", "service"),
}


@pytest.mark.parametrize("what", list(NOT_RUN))
def test_what_can_not_run_is_refused(tasks, definition, what):
    asked, code, said = NOT_RUN[what]

    found = refused(tasks, definition, **asked)

    assert (found[0], said in found[1]) == (code, True), found


def test_a_definition_that_is_not_there_or_not_active_is_refused(tasks):
    gone = tasks.define({})
    tasks.ecs.deregister_task_definition(taskDefinition=gone)

    assert refused(tasks, "nothing:1") == ("ClientException", "TaskDefinition not found.")
    assert refused(tasks, f"{gone.rpartition(':')[0]}:7") == ("ClientException", "TaskDefinition not found.")
    assert refused(tasks, gone) == ("ClientException", "TaskDefinition is inactive")


@pytest.mark.parametrize(
    ("container", "volume", "what"),
    [
        ({"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::a/b.env"}]}, {}, "environmentFiles"),
        ({}, {"efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, "efsVolumeConfiguration"),
    ],
)
def test_what_the_local_aws_has_not_is_told_and_not_left_out(tasks, container, volume, what):
    definition = tasks.define(container, volumes=[{"name": "a", **volume}])

    assert refused(tasks, definition) == ("UnsupportedFeatureException", f"this local AWS does not have {what}")


def test_the_latest_active_revision_is_run_when_none_is_named(tasks):
    """RunTask: "If a revision isn't specified, the latest ACTIVE revision is used."

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    """
    for _ in range(3):
        last = tasks.define({}, family="grown")
    tasks.ecs.deregister_task_definition(taskDefinition=last)

    assert tasks.describe(tasks.run("grown"))["taskDefinitionArn"].endswith("grown:2")


def test_any_subnet_will_do_and_so_will_a_network_without_names(tasks, definition):
    ec2 = tasks.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]

    found = tasks.describe(tasks.run(definition, networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}}))

    assert {"name": "subnetId", "value": subnet} in found["attachments"][0]["details"]


def test_a_capacity_provider_of_fargate_is_fargate(tasks, definition):
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    asked = {"cluster": CLUSTER, "taskDefinition": definition, "networkConfiguration": tasks.network()}
    found = tasks.ecs.run_task(**asked, capacityProviderStrategy=strategy)["tasks"][0]

    assert (found["launchType"], found["capacityProviderName"]) == ("FARGATE", "FARGATE_SPOT")


def test_a_task_that_never_started_is_stopped_by_its_user(tasks, definition):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html, UserInitiated"""
    arn = tasks.run(definition)
    answer = tasks.ecs.stop_task(cluster=CLUSTER, task=arn, reason="not wanted")["task"]

    assert (answer["desiredStatus"], answer["stoppedReason"], answer["stopCode"]) == (
        "STOPPED",
        "not wanted",
        "UserInitiated",
    )
    assert "exitCode" not in of(answer)
    tasks.ecs.stop_task(cluster=CLUSTER, task=arn, reason="again")
    assert tasks.describe(arn)["stoppedReason"] == "not wanted"


def test_what_is_not_there_is_said_to_be_missing(tasks, definition):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html: MISSING"""
    arn = tasks.run(definition)
    told = tasks.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn.rpartition("/")[2], "0" * 32])

    assert [one["taskArn"] for one in told["tasks"]] == [arn]
    assert told["failures"] == [{"arn": f"{arn.rpartition('/')[0]}/{'0' * 32}", "reason": "MISSING"}]
    with pytest.raises(tasks.ecs.exceptions.InvalidParameterException, match=r"The referenced task was not found\."):
        tasks.ecs.stop_task(cluster=CLUSTER, task="0" * 32)
    with pytest.raises(tasks.ecs.exceptions.InvalidParameterException, match=r"Tasks cannot be empty\."):
        tasks.ecs.describe_tasks(cluster=CLUSTER, tasks=[])


def test_tasks_are_listed_by_what_is_asked_page_by_page(tasks):
    one, other = tasks.define({}, family="listed"), tasks.define({}, family="listed-too")
    arns = [tasks.run(one, startedBy="x") for _ in range(3)] + [tasks.run(other, startedBy="y")]
    tasks.ecs.stop_task(cluster=CLUSTER, task=arns[2])

    def listed(**asked):
        return tasks.ecs.list_tasks(cluster=CLUSTER, **asked)

    assert listed(family="listed")["taskArns"] == arns[:2]
    assert listed(family="listed", desiredStatus="STOPPED")["taskArns"] == [arns[2]]
    assert listed(startedBy="y")["taskArns"] == [arns[3]]
    first = listed(family="listed", maxResults=1)
    assert (first["taskArns"], listed(family="listed", maxResults=1, nextToken=first["nextToken"])["taskArns"]) == (
        [arns[0]],
        [arns[1]],
    )


def test_no_capacity_is_told_among_the_failures_and_nothing_is_written_down(tasks, definition):
    """https://repost.aws/knowledge-center/ecs-fargate-runtask-capacity"""
    before = tasks.ecs.list_tasks(cluster=CLUSTER)["taskArns"]
    full = {"service": "ecs", "operation": "RunTask", "kind": "no capacity"}
    tasks.server.put_faults(full, {**full, "reason": "RESOURCE:MEMORY"}, HELD)

    told = [tasks.request(definition) for _ in range(2)]

    assert [one["tasks"] for one in told] == [[], []]
    assert [one["failures"][0]["reason"] for one in told] == [
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "RESOURCE:MEMORY",
    ]
    assert tasks.ecs.list_tasks(cluster=CLUSTER)["taskArns"] == before


def test_a_task_for_which_there_is_no_place_stops_with_the_reason(tasks):
    definition = tasks.define({}, family="no-place")
    tasks.server.put_faults({"service": "ecs-agent", "operation": "place no-place", "kind": "error"}, HELD)

    found = tasks.stopped(tasks.run(definition))

    assert (found["stopCode"], found["stoppedReason"]) == (
        "TaskFailedToStart",
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    )


def run_held(tasks, definition, **more) -> str:
    """Run a task and return its ARN when the local AWS's own agent has it in hand, so that others may speak for it."""
    operation = f"place {definition.rpartition('/')[2].partition(':')[0]}"
    tasks.server.put_faults({**HELD, "operation": operation, "times": 1}, HELD)
    arn = tasks.run(definition, **more)
    left = tasks.server.faults_left
    assert until(lambda: operation not in [one["operation"] for one in left()], seconds=30, every=0.05)
    return arn


def test_an_agent_brings_a_task_forward_and_never_back(tasks):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html"""
    arn = run_held(tasks, tasks.define({}))

    def submit(**change):
        tasks.ecs.submit_task_state_change(cluster=CLUSTER, task=arn, **change)

    submit(status="RUNNING", containers=[{"containerName": "main", "status": "RUNNING", "runtimeId": "c1"}])
    submit(status="PENDING")
    tasks.ecs.submit_container_state_change(
        cluster=CLUSTER, task=arn, containerName="main", status="STOPPED", exitCode=3, reason="why"
    )
    submit(containers=[{"containerName": "main", "status": "RUNNING", "exitCode": 0}])
    running = tasks.describe(arn)
    submit(status="STOPPED", reason="Essential container in task exited")
    stopped = tasks.describe(arn)

    assert (running["lastStatus"], running["desiredStatus"]) == ("RUNNING", "RUNNING")
    assert {key: of(running)[key] for key in ("lastStatus", "exitCode", "reason", "runtimeId")} == {
        "lastStatus": "STOPPED",
        "exitCode": 3,
        "reason": "why",
        "runtimeId": "c1",
    }
    assert (stopped["lastStatus"], stopped["desiredStatus"], stopped["stopCode"]) == (
        "STOPPED",
        "STOPPED",
        "EssentialContainerExited",
    )
    assert stopped["createdAt"] <= stopped["startedAt"] <= stopped["stoppingAt"] <= stopped["stoppedAt"]


def test_a_cluster_counts_its_tasks_and_stays_while_it_has_any(tasks):
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html"""
    tasks.ecs.create_cluster(clusterName="counted")
    arn = run_held(tasks, tasks.define({}), cluster="counted")

    def counted():
        found = tasks.ecs.describe_clusters(clusters=["counted"])["clusters"][0]
        return found["pendingTasksCount"], found["runningTasksCount"]

    assert counted() == (1, 0)
    with pytest.raises(tasks.ecs.exceptions.ClusterContainsTasksException):
        tasks.ecs.delete_cluster(cluster="counted")
    tasks.ecs.submit_task_state_change(cluster="counted", task=arn, status="RUNNING")
    assert counted() == (0, 1)
    tasks.ecs.submit_task_state_change(cluster="counted", task=arn, status="STOPPED", reason="x")
    assert counted() == (0, 0)
    assert tasks.ecs.delete_cluster(cluster="counted")["cluster"]["status"] == "INACTIVE"
    assert refused(tasks, tasks.define({}), cluster="counted")[1] == "The referenced cluster was inactive."
