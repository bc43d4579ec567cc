"""S3: what moto does otherwise than AWS says."""

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
