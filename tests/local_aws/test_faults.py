"""Faults on demand, as boto3 hears of them in each service's protocol."""

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture
def server(aws):
    return aws


CALLS = {
    ("s3", "GET /"): lambda client: client.list_buckets(),
    ("secretsmanager", "ListSecrets"): lambda client: client.list_secrets(),
    ("ecs", "ListClusters"): lambda client: client.list_clusters(),
    ("sts", "GetCallerIdentity"): lambda client: client.get_caller_identity(),
    ("rds", "DescribeDBInstances"): lambda client: client.describe_db_instances(),
    ("ec2", "DescribeVpcs"): lambda client: client.describe_vpcs(),
    ("elbv2", "DescribeLoadBalancers"): lambda client: client.describe_load_balancers(),
    ("cloudwatch", "DescribeAlarms"): lambda client: client.describe_alarms(),
    ("logs", "DescribeLogGroups"): lambda client: client.describe_log_groups(),
    ("ecr", "DescribeRepositories"): lambda client: client.describe_repositories(),
    ("codedeploy", "ListApplications"): lambda client: client.list_applications(),
    ("backup", "GET /backup-vaults/"): lambda client: client.list_backup_vaults(),
}
SIGNED = {"elbv2": "elasticloadbalancing", "cloudwatch": "monitoring"}


@pytest.mark.parametrize(("service", "operation"), list(CALLS))
def test_a_throttle_is_told_as_each_service_tells_it_and_boto3_gets_through(server, service, operation):
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html: throttles are tried again."""
    fault = {"service": SIGNED.get(service, service), "operation": operation, "kind": "throttled"}
    server.put_faults(fault)
    with pytest.raises(ClientError, match=r"Throttl|SlowDown|RequestLimitExceeded"):
        CALLS[service, operation](server.client(service, tries=1))

    server.put_faults(fault)
    assert CALLS[service, operation](server.client(service))["ResponseMetadata"]["RetryAttempts"] == 1
    assert server.faults_left() == []


@pytest.mark.parametrize(("service", "operation"), list(CALLS))
def test_an_error_of_the_service_has_its_status(server, service, operation):
    server.put_faults({"service": SIGNED.get(service, service), "operation": operation, "kind": "error", "status": 503})

    with pytest.raises(ClientError) as told:
        CALLS[service, operation](server.client(service, tries=1))

    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_hang_ends_with_the_patience_of_who_asks(server):
    server.put_faults({"service": "secretsmanager", "operation": "ListSecrets", "kind": "hang", "seconds": 3})

    with pytest.raises(ReadTimeoutError):
        server.client("secretsmanager", tries=1, read_seconds=1).list_secrets()


def test_an_answer_that_is_lost_had_its_effect(server):
    server.put_faults({"service": "secretsmanager", "operation": "CreateSecret", "kind": "answer lost"})
    with pytest.raises(ConnectionClosedError):
        server.client("secretsmanager", tries=1).create_secret(Name="lost", SecretString="x")

    assert server.client("secretsmanager").describe_secret(SecretId="lost")["Name"] == "lost"


def test_a_fault_waits_for_its_turn_and_spares_all_else(server):
    fault = {"service": "secretsmanager", "operation": "ListSecrets", "kind": "throttled", "after": 1}
    server.put_faults(fault)
    once = server.client("secretsmanager", tries=1)

    once.list_secrets()
    server.client("s3", tries=1).list_buckets()
    with pytest.raises(ClientError):
        once.list_secrets()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '[{"service": "s3", "operation": ".*", "kind": "slow"}]',
            "allowed: throttled, denied, error, hang, answer lost, no capacity",
        ),
        ('[{"service": "s3", "operation": ".*", "kind": "error", "often": 1}]', "keys are service, operation"),
        ("{}", "a list of faults is expected"),
        ("[", "Expecting value"),
    ],
)
def test_a_fault_that_is_none_is_refused_with_what_is_allowed(server, content, said):
    answer = httpx.put(f"{server.url}/headway/faults", content=content)

    assert (answer.status_code, said in answer.json()["error"]) == (400, True)
