"""Whose credentials are used, in which region and as which role."""

import pytest
from pydantic import SecretStr

from delivery.aws.access import AwsAccess, account_of
from delivery.errors import Misconfigured, Transient
from delivery.ports.aws_account import AwsAccount

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture
def server(aws):
    return aws


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch, tmp_path):
    """No credentials, regions or endpoints of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_role_of_another_account_is_assumed_and_the_endpoint_is_honoured_for_it_as_well(server):
    role, backups = (f"arn:aws:iam::{number * 12}:role/x" for number in "23")
    access = server.access(role=role, roles={"backup": backups})

    assert account_of(server.access()) == "123456789012"
    assert account_of(access) == account_of(access.in_phase("release")) == "222222222222"
    assert account_of(access.in_phase("backup")) == "333333333333"


def test_the_endpoint_of_the_variable_is_honoured_by_everything(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    keys = {"region": "eu-west-1", "key_id": "local", "secret_key": SecretStr("local")}
    access = AwsAccess(AwsAccount(**keys, role="arn:aws:iam::333333333333:role/staging"))

    assert account_of(access) == "333333333333"


def test_without_credentials_or_region_it_is_said_what_to_do():
    with pytest.raises(Misconfigured, match=r"AWS region: none is named(.|\n)*AWS_REGION"):
        AwsAccess(AwsAccount()).client("s3")
    with pytest.raises(Misconfigured, match="there are no credentials that could assume it"):
        AwsAccess(AwsAccount(region="us-east-1", role="arn:aws:iam::2:role/x")).client("s3")
    with pytest.raises(Misconfigured, match=r"AWS credentials(.|\n)*next: log in again"):
        account_of(AwsAccess(AwsAccount(region="us-east-1")))
    with pytest.raises(Misconfigured, match="profile"):
        AwsAccess(AwsAccount(region="us-east-1", profile="nobody")).client("s3")


def test_a_region_without_the_service_is_told_with_those_that_have_it():
    with pytest.raises(Misconfigured, match=r"AWS region .* has no .*; allowed: .*us-east-1"):
        AwsAccess(AwsAccount(region="ap-east-2", key_id="k", secret_key=SecretStr("s"))).client("appmesh")


def test_no_secret_is_in_what_is_printed_of_it():
    hush = SecretStr("hush")
    account = AwsAccount(region="us-east-1", key_id="AKIA", secret_key=hush, session_token=hush, external_id="hush")

    assert "hush" not in repr(AwsAccess(account))


def test_a_throttle_is_tried_again_and_one_that_goes_on_is_transient(server):
    fault = {"service": "sts", "operation": "GetCallerIdentity", "kind": "throttled"}
    server.put_faults(fault)
    assert account_of(server.access()) == "123456789012"

    server.put_faults({**fault, "times": 9})
    with pytest.raises(Transient, match="AWS sts GetCallerIdentity: Throttling"):
        account_of(server.access(tries=2))
