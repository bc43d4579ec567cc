"""What a destroyed environment leaves on purpose is told, each with how long it stays."""

from datetime import UTC, datetime

import pytest

from delivery.aws.what_stays import what_stays

pytestmark = pytest.mark.xdist_group("local-aws")
UNTIL = datetime(2099, 12, 31, 12, tzinfo=UTC)


def test_evidence_is_told_with_the_end_of_its_lock(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept-locked", ObjectLockEnabledForBucket=True)
    locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": UNTIL}
    s3.put_object(Bucket="kept-locked", Key="runs/1.json", Body=b"{}", **locked)

    told = what_stays(aws.access(), {"service": {"bucket": "kept-locked"}})

    assert told == ("evidence in s3://kept-locked: locked until 2099-12-31 12:00 UTC",)


def test_evidence_without_a_lock_is_told_as_such_and_a_bucket_that_is_gone_not_at_all(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept-open")
    s3.put_object(Bucket="kept-open", Key="runs/1.json", Body=b"{}")

    assert what_stays(aws.access(), {"service": {"bucket": "kept-open"}}) == (
        "evidence in s3://kept-open: not locked, kept until somebody deletes it",
    )
    assert what_stays(aws.access(), {"service": {"bucket": "kept-nowhere"}}) == ()
    assert what_stays(aws.access(), {}) == ()
