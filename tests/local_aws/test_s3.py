"""S3: what moto does otherwise than AWS says."""

import json
import urllib.request

import pytest

pytestmark = pytest.mark.xdist_group("local-aws")


@pytest.mark.parametrize("body", [b"<x/>\n", b"key=value&file=other", b"\x00\xff", b""])
def test_what_is_put_by_a_presigned_url_is_kept_as_it_came(held, body):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html; urllib calls every body a form"""
    s3 = held.client("s3")
    s3.create_bucket(Bucket="kept")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "kept", "Key": "a"}, ExpiresIn=600)

    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT")) as answer:
        assert answer.status == 200

    assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == body


def test_rules_of_replication_are_told_as_they_were_given(held):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html"""
    s3 = held.client("s3")
    for name in ("copied", "copies"):
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ID": "all", "Status": "Enabled", "Priority": 2, "DeleteMarkerReplication": {"Status": "Enabled"}}
    rule |= {"Destination": {"Bucket": "arn:aws:s3:::copies", "StorageClass": "STANDARD_IA"}, "Filter": {"Prefix": ""}}
    both = {"Prefix": "runs/", "Tags": [{"Key": "a", "Value": "b"}]}
    tagged = {**rule, "ID": "tagged", "Filter": {"And": both}, "DeleteMarkerReplication": {"Status": "Disabled"}}
    given = {"Role": "arn:aws:iam::123456789012:role/copy", "Rules": [rule, tagged]}

    s3.put_bucket_replication(Bucket="copied", ReplicationConfiguration=given)

    assert s3.get_bucket_replication(Bucket="copied")["ReplicationConfiguration"] == given
    s3.delete_bucket_replication(Bucket="copied")
    with pytest.raises(s3.exceptions.ClientError, match="ReplicationConfigurationNotFoundError"):
        s3.get_bucket_replication(Bucket="copied")


def test_a_policy_that_wants_tls_keeps_nobody_away_and_one_without_a_condition_does(held):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html"""
    s3 = held.client("s3")
    s3.create_bucket(Bucket="guarded")
    everything = ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"]
    refused = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything}
    without_tls = {**refused, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    put = json.dumps({"Version": "2012-10-17", "Statement": [without_tls]})
    s3.put_bucket_policy(Bucket="guarded", Policy=put)

    s3.put_object(Bucket="guarded", Key="a", Body=b"a")
    never = {**refused, "Action": "s3:PutObject"}
    s3.put_bucket_policy(
        Bucket="guarded", Policy=json.dumps({"Version": "2012-10-17", "Statement": [without_tls, never]})
    )

    with pytest.raises(s3.exceptions.ClientError, match=r"Forbidden|403"):
        s3.put_object(Bucket="guarded", Key="b", Body=b"b")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="guarded")["Contents"]] == ["a"]
