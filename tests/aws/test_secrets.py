"""Secrets of Secrets Manager, by value and by reference."""

import pytest

from delivery.aws.secrets import SecretsManager
from delivery.errors import Misconfigured, Transient
from delivery.spec.aws_secret import AwsSecretName, aws_secret_name

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture(scope="module")
def server(aws):
    client = aws.client("secretsmanager")
    client.create_secret(Name="shop/plain", SecretString="s3cret")
    client.create_secret(Name="shop/json", SecretString='{"user": "app", "password": "p#w", "port": 5432}')
    client.create_secret(Name="shop/bytes", SecretBinary=b"\x00")
    return aws


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("aws-secretsmanager:shop/db#password", AwsSecretName("shop/db", "password")),
        ("aws-secretsmanager:shop/db", AwsSecretName("shop/db")),
        (
            "aws-secretsmanager:arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf#user",
            AwsSecretName("arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf", "user"),
        ),
        ("shop-production-key", None),
    ],
)
def test_a_secret_is_named_with_a_key_or_whole(text, name):
    assert aws_secret_name(text) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (AwsSecretName("shop/plain"), "s3cret"),
        (AwsSecretName("shop/json", "password"), "p#w"),
        (AwsSecretName("shop/json", "port"), "5432"),
    ],
)
def test_a_value_is_read_and_shown_nowhere(server, name, value):
    read = SecretsManager(server.access()).read(name)

    assert (read.get_secret_value(), value in repr(read)) == (value, False)


def test_the_newest_value_is_read_also_after_a_stage_was_moved_by_hand(server):
    client = server.client("secretsmanager")
    first = client.create_secret(Name="moved", SecretString="first")["VersionId"]
    second = client.put_secret_value(SecretId="moved", SecretString="second")["VersionId"]
    client.update_secret_version_stage(
        SecretId="moved", VersionStage="AWSCURRENT", MoveToVersionId=first, RemoveFromVersionId=second
    )

    assert SecretsManager(server.access()).read(AwsSecretName("moved")).get_secret_value() == "first"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (AwsSecretName("shop/none"), "secret shop/none: Secrets Manager in us-east-1 has none of that name"),
        (AwsSecretName("shop/json", "pasword"), "has no key pasword; allowed: password, port, user"),
        (AwsSecretName("shop/plain", "key"), "is no JSON object, so it has no key key"),
        (AwsSecretName("shop/bytes"), "holds bytes and no text"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_and_no_value(server, name, said):
    with pytest.raises(Misconfigured, match=said) as told:
        SecretsManager(server.access()).read(name)

    assert "s3cret" not in str(told.value)


def test_a_task_gets_a_reference_and_no_value(server):
    arn = server.client("secretsmanager").describe_secret(SecretId="shop/json")["ARN"]

    assert SecretsManager(server.access()).reference(AwsSecretName("shop/json", "password")) == f"{arn}:password::"
    assert SecretsManager(server.access()).reference(AwsSecretName("shop/json")) == arn


def test_a_replica_answers_where_the_region_does_not(server):
    client = server.client("secretsmanager")
    client.create_secret(Name="far", SecretString="x", AddReplicaRegions=[{"Region": "eu-west-1"}])
    fault = {"service": "secretsmanager", "operation": "GetSecretValue", "kind": "error", "times": 2}
    server.put_faults(fault)
    assert SecretsManager(server.access(tries=2), ("eu-west-1",)).read(AwsSecretName("far")).get_secret_value() == "x"

    server.put_faults(fault)
    with pytest.raises(Transient):
        SecretsManager(server.access(tries=2)).read(AwsSecretName("far"))
