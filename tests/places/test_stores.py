"""The artifact store keeps what it was given, wherever it keeps it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

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
