"""The local AWS after a restart: nothing lost, nothing twice."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.local_aws import Server, local_aws

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.fixture
def server(tmp_path):
    with local_aws(tmp_path) as server:
        yield server


def restart(server: Server) -> Server:
    server.stop(signal.SIGKILL)
    return server.start()


def test_records_and_data_are_there_after_a_kill_with_their_names_and_times(server):
    s3, secrets = server.client("s3"), server.client("secretsmanager")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="kept", Key="a/ü b.json", Body=b"\x00\xffbytes")
    second = s3.put_object(Bucket="kept", Key="a/ü b.json", Body=b"newer")
    secret = secrets.create_secret(Name="shop", SecretString="s1")
    secrets.put_secret_value(SecretId="shop", SecretString="s2")
    before = s3.head_object(Bucket="kept", Key="a/ü b.json"), secrets.describe_secret(SecretId="shop")

    restart(server)

    after = s3.head_object(Bucket="kept", Key="a/ü b.json"), secrets.describe_secret(SecretId="shop")
    for answer in (*before, *after):
        del answer["ResponseMetadata"]
    assert after == before
    old = s3.get_object(Bucket="kept", Key="a/ü b.json", VersionId=first["VersionId"])
    assert (old["Body"].read(), second["VersionId"]) == (b"\x00\xffbytes", after[0]["VersionId"])
    assert secrets.get_secret_value(SecretId=secret["ARN"], VersionStage="AWSCURRENT")["SecretString"] == "s2"


def test_nothing_is_done_twice_however_often_it_is_killed(server):
    queue = server.client("sqs").create_queue(QueueName="news")["QueueUrl"]
    for number in range(3):
        server.client("sqs").send_message(QueueUrl=queue, MessageBody=str(number))
        restart(server)

    told = server.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert told["Attributes"]["ApproximateNumberOfMessages"] == "3"


def test_names_are_the_same_after_a_restart_whatever_was_read_meanwhile_and_whoever_looked_first(server):
    """Every answer draws a number for its id; a default VPC is made when somebody looks for it."""

    def subnets(region: str) -> set[str]:
        return {one["SubnetId"] for one in server.client("ec2", region=region).describe_subnets()["Subnets"]}

    before = {region: subnets(region) for region in ("us-east-1", "eu-west-1")}
    ec2 = server.client("ec2")
    with ThreadPoolExecutor() as pool:
        reading = [pool.submit(lambda: [ec2.describe_vpcs() for _ in range(30)]) for _ in range(2)]
        given = {ec2.create_security_group(GroupName=f"g{n}", Description="-")["GroupId"] for n in range(20)}
        for one in reading:
            one.result()

    restart(server)

    assert {region: subnets(region) for region in ("eu-west-1", "us-east-1")} == before
    assert given <= {one["GroupId"] for one in server.client("ec2").describe_security_groups()["SecurityGroups"]}
    assert len(set.union(*before.values())) > len(before["us-east-1"]) > 0


@pytest.mark.long
def test_accounts_and_regions_are_kept_apart_also_after_a_restart(server):
    role = server.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/production", RoleSessionName="test"
    )["Credentials"]
    keys = {
        "aws_access_key_id": role["AccessKeyId"],
        "aws_secret_access_key": role["SecretAccessKey"],
        "aws_session_token": role["SessionToken"],
    }
    server.client("secretsmanager", **keys).create_secret(Name="theirs", SecretString="x")
    server.client("secretsmanager", region="eu-west-1").create_secret(Name="elsewhere", SecretString="x")

    restart(server)

    def names(**more):
        return [one["Name"] for one in server.client("secretsmanager", **more).list_secrets()["SecretList"]]

    assert (names(), names(**keys), names(region="eu-west-1")) == ([], ["theirs"], ["elsewhere"])


def test_a_line_that_the_kill_cut_short_is_dropped_and_the_next_is_read(server, tmp_path):
    server.client("s3").create_bucket(Bucket="kept")
    server.stop(signal.SIGKILL)
    journal = tmp_path / "aws" / "requests.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"at": 1, "se')
    server.start()

    server.client("s3").create_bucket(Bucket="later")

    assert [json.loads(line)["environ"]["PATH_INFO"] for line in journal.read_text().splitlines()] == [
        "/kept",
        "/later",
    ]
    restart(server)
    assert {one["Name"] for one in server.client("s3").list_buckets()["Buckets"]} == {"kept", "later"}


def test_what_was_only_read_or_refused_is_not_kept(server, tmp_path):
    server.client("s3").list_buckets()
    server.client("secretsmanager").list_secrets()
    with pytest.raises(server.client("s3").exceptions.NoSuchBucket):
        server.client("s3").put_object(Bucket="nowhere", Key="a", Body=b"")

    assert (tmp_path / "aws" / "requests.jsonl").read_bytes() == b""
