"""A platform that keeps its state in a bucket; all other tests of flows are tried with one too, in the long series."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from blocks.artifact_store import ArtifactStore
from delivery.aws.s3_leases import S3Leases
from delivery.aws.s3_store import S3Store
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform.local_aws import variables
from delivery.state import check_state, open_leases, open_store
from tests.support.local_aws import Server

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def on_aws(aws: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The AWS that this process asks while the test runs."""
    for name, value in variables(aws.url).items():
        monkeypatch.setenv(name, value)
    return aws


ON_S3 = pytest.mark.parametrize("platform", ["s3"], indirect=True)


@ON_S3
def test_a_delivery_leaves_everything_in_the_bucket_and_nothing_beside_it(platform):
    run = platform.deliver()

    store = open_store(platform.home.store_address)
    kept = [key.split("/")[0] for key in store.keys("")]
    assert run.state.is_completed(), run.ended
    assert isinstance(store, S3Store)
    assert {"runs", "releases", "history", "journal", "newest-first"} >= set(kept) >= {"runs", "releases", "journal"}
    assert platform.record(run.id).report.startswith(f"{platform.home.bucket}/store/runs/{run.id}/")
    assert not platform.home.store.exists()
    assert not platform.home.leases.exists()


@pytest.mark.long
@ON_S3
def test_platforms_that_share_a_bucket_wait_for_each_other(platform, tmp_path):
    other = open_leases(Home(tmp_path / "other", bucket=platform.home.bucket))
    platform.describe(environments={"production": {"target": {"kind": "memory"}, "busy": "reject"}})
    lease = other.take("shop", "production", holder="elsewhere", reason="release abc")

    held = platform.deliver()
    other.give_back(lease)
    free = platform.deliver()

    assert isinstance(other, S3Leases)
    assert held.ended[0] == "Rejected"
    assert "release abc" in held.ended[1]
    assert free.state.is_completed(), free.ended
    assert other.read("shop", "production").sequence == 2


@ON_S3
def test_traffic_is_put_right_although_nothing_can_be_written_to_the_bucket(platform, aws):
    platform.put_live(1)
    live = platform.live()
    platform.release(2)
    denied = {"service": "s3", "operation": "PUT .*", "kind": "denied", "times": 1000}
    platform.behaviour().during = lambda verb: verb == "shift" and aws.put_faults(denied)

    run = platform.put_live(2)

    aws.put_faults()
    assert isinstance(run.error, Misconfigured)
    assert "allow s3:PutObject" in str(run.error)
    assert platform.live() == live
    assert [slot.release for slot in platform.host().observe().slots if slot.release] == [live]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://shop-nowhere/team", "HEADWAY_STORE: bucket shop-nowhere: there is none of that name"),
        ("s3://Shop/team", "HEADWAY_STORE: s3://Shop/team; allowed: the path of a folder, or s3://BUCKET/PREFIX"),
        ("gs://shop/team", "HEADWAY_STORE: gs://shop/team; allowed: the path of a folder, or s3://BUCKET/PREFIX"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_told_before_anything_is_kept(address, said, on_aws, tmp_path):
    with pytest.raises(Misconfigured) as told:
        check_state(Home(tmp_path, bucket=address))

    assert said in str(told.value)


def test_a_bucket_of_another_account_or_region_is_told_as_what_it_is(on_aws, tmp_path):
    said = []
    for status in (403, 301):
        on_aws.put_faults({"service": "s3", "operation": "HEAD .*", "kind": "error", "status": status})
        with pytest.raises(Misconfigured) as told:
            check_state(Home(tmp_path, bucket="s3://somebodys/team"))
        said.append(str(told.value))

    assert "HEADWAY_STORE: bucket somebodys: it is another account's, or these credentials may not list it" in said[0]
    assert "bucket somebodys: it is in its own region, and us-east-1 is asked" in said[1]


@pytest.mark.parametrize(
    ("store", "lock", "said"),
    [
        ("s3://BUCKET", "forever", "HEADWAY_STORE_LOCK: forever; allowed: governance:DAYS, compliance:DAYS"),
        ("s3://BUCKET", "governance:36501", "governance:36501; allowed: governance:DAYS, compliance:DAYS; DAYS from 1"),
        ("s3://BUCKET", "compliance:1", "HEADWAY_STORE_LOCK: bucket BUCKET: its objects cannot be locked\n  next: aws"),
        (None, "compliance:1", "HEADWAY_STORE_LOCK: compliance:1, but HEADWAY_STORE is no bucket"),
    ],
)
def test_a_lock_that_cannot_be_kept_is_told_before_anything_is(store, lock, said, on_aws, tmp_path):
    on_aws.client("s3").create_bucket(Bucket="unlocked")

    with pytest.raises(Misconfigured) as told:
        check_state(Home(tmp_path, bucket=store and store.replace("BUCKET", "unlocked"), lock=lock))

    assert said.replace("BUCKET", "unlocked") in str(told.value)


def test_what_a_platform_keeps_under_lock_is_removed_by_nobody(on_aws, tmp_path, monkeypatch):
    client, bucket = on_aws.client("s3"), f"evidence-{uuid4().hex}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    monkeypatch.setenv("HEADWAY_STORE", f"s3://{bucket}/team")
    monkeypatch.setenv("HEADWAY_STORE_LOCK", "compliance:30")
    home = Home.current()

    check_state(home)
    ArtifactStore(address=home.store_address, lock=home.lock).store().put("releases/shop/release.json", b"{}")

    kept = client.head_object(Bucket=bucket, Key="team/store/releases/shop/release.json")
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert 29 < (kept["ObjectLockRetainUntilDate"] - datetime.now(UTC)) / timedelta(days=1) <= 30
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key="team/store/releases/shop/release.json", VersionId=kept["VersionId"])
