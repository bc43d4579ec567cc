"""The artifact store keeps what it was given, wherever it keeps it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from delivery.aws.s3_store import Lock, S3Store
from delivery.errors import Misconfigured, Transient
from delivery.memory.store import MemoryStore
from delivery.ports.store import FolderStore


class StoreContract:
    """A subclass brings `store`, an empty one."""

    def test_an_object_is_found_again(self, store):
        store.put("a/b.json", b"{}")

        assert store.get("a/b.json") == b"{}"
        assert list(store.keys("a")) == ["a/b.json"]

    def test_nothing_is_overwritten(self, store):
        store.put("a", b"first")

        for content in (b"second", b"first"):
            with pytest.raises(FileExistsError):
                store.put("a", content)

        assert store.get("a") == b"first"
        assert list(store.keys("")) == ["a"]

    def test_what_is_not_there_is_not_found(self, store):
        with pytest.raises(FileNotFoundError):
            store.get("a/b.json")

        assert list(store.keys("a")) == []

    def test_a_key_cannot_leave_the_store(self, store):
        with pytest.raises(ValueError, match="leaves the store"):
            store.put("../outside", b"")

    def test_keys_are_those_below_a_folder_as_text_sorts_them(self, store):
        for key in ("a/2/x", "a/10/x", "a/1", "a-b/x", "ab/x"):
            store.put(key, b"")

        assert list(store.keys("a")) == ["a/1", "a/10/x", "a/2/x"]
        assert list(store.keys("")) == ["a-b/x", "a/1", "a/10/x", "a/2/x", "ab/x"]

    def test_of_many_who_write_the_same_key_one_comes_through_and_is_read_whole(self, store):
        def put(number):
            try:
                store.put("journal/1", str(number).encode() * 100_000)
            except FileExistsError:
                return None
            return number

        with ThreadPoolExecutor(8) as pool:
            first = [number for number in pool.map(put, range(8)) if number is not None]

        assert len(first) == 1
        assert store.get("journal/1") == str(first[0]).encode() * 100_000

    def test_a_person_is_told_where_an_object_is(self, store):
        assert store.put("a/b.json", b"{}") == store.locate("a/b.json")
        assert store.locate("a/b.json").endswith("a/b.json")


class TestFolder(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return FolderStore(tmp_path)

    def test_nothing_is_left_beside_the_objects(self, store, tmp_path):
        store.put("a", b"first")
        with pytest.raises(FileExistsError):
            store.put("a", b"second")

        assert [path.name for path in tmp_path.iterdir()] == ["a"]


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


@pytest.mark.xdist_group("local-aws")
class TestS3(StoreContract):
    @pytest.fixture(params=["", "headway/shop"], ids=["whole bucket", "prefix"])
    def store(self, aws, bucket, request):
        return S3Store(aws.access(tries=2).client("s3"), bucket, request.param)

    def test_a_write_whose_answer_was_lost_is_the_one_that_stands(self, store, aws):
        aws.put_faults({"service": "s3", "operation": "PUT .*", "kind": "answer lost"})

        store.put("journal/1", b"ours")

        assert store.get("journal/1") == b"ours"
        assert aws.faults_left() == []

    def test_keys_are_listed_a_page_at_a_time_as_they_are_asked_for(self, store, aws, monkeypatch):
        monkeypatch.setattr("delivery.aws.s3_store.PAGE", 3)
        for number in range(7):
            store.put(f"journal/{number}", b"")
        aws.put_faults({"service": "s3", "operation": "GET .*", "kind": "error", "after": 1, "times": 9})

        keys = store.keys("journal")
        assert next(keys) == "journal/0"
        with pytest.raises(Transient):
            list(keys)
        aws.put_faults()
        assert len(list(store.keys("journal"))) == 7

    def test_evidence_under_lock_is_removed_by_nobody(self, aws):
        client, bucket = aws.access().client("s3"), f"evidence-{uuid4().hex}"
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        S3Store(client, bucket, lock=Lock(days=1, mode="COMPLIANCE")).put("release.json", b"{}")
        version = client.head_object(Bucket=bucket, Key="release.json")["VersionId"]

        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key="release.json", VersionId=version)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "throttled", "times": 9}, Transient),
        ({"kind": "error", "times": 9}, Transient),
        ({"kind": "denied"}, Misconfigured),
    ],
)
@pytest.mark.xdist_group("local-aws")
def test_what_s3_answers_instead_is_sorted_by_what_is_to_be_done(aws, bucket, fault, kind):
    store = S3Store(aws.access(tries=2).client("s3"), bucket)
    for verb in (lambda: store.put("a", b""), lambda: store.get("a"), lambda: list(store.keys(""))):
        aws.put_faults({"service": "s3", "operation": ".*", **fault})
        with pytest.raises(kind):
            verb()
    aws.put_faults()


@pytest.mark.xdist_group("local-aws")
def test_a_bucket_that_is_not_there_is_named(aws):
    store = S3Store(aws.access().client("s3"), "nobodys")

    with pytest.raises(Misconfigured, match="bucket nobodys"):
        store.put("a", b"")
