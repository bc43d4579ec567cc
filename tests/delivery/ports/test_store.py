"""The artifact store keeps what it was given."""

from pathlib import Path

import pytest

from delivery.ports.store import FolderStore


def test_an_object_is_found_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b.json", b"{}")
    assert store.get("a/b.json") == b"{}"
    assert list(store.keys("a")) == ["a/b.json"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"first")
    with pytest.raises(FileExistsError):
        store.put("a", b"second")
    assert store.get("a") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_key_cannot_leave_the_store(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leaves the store"):
        FolderStore(tmp_path / "store").put("../outside", b"")
