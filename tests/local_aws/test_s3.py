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
