"""An artifact store in this process, for trying pipelines out and for tests; it is gone with it."""

from collections.abc import Iterator
from threading import Lock


class MemoryStore:
    """A store that the threads of one process share."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._lock = Lock()

    def put(self, key: str, content: bytes) -> str:
        """Keep `content` under `key`; FileExistsError when the key is taken."""
        where = self.locate(key)
        with self._lock:
            if key in self._kept:
                raise FileExistsError(key)
            self._kept[key] = content
        return where

    def get(self, key: str) -> bytes:
        """Return the content of `key`; FileNotFoundError when there is none."""
        try:
            return self._kept[key]
        except KeyError:
            raise FileNotFoundError(key) from None

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below the folder `prefix`, as text sorts them."""
        folder = prefix.rstrip("/")
        yield from [key for key in sorted(self._kept) if not folder or key.startswith(f"{folder}/")]

    def locate(self, key: str) -> str:
        """Return what a person may call it."""
        if key.startswith("/") or ".." in key.split("/"):
            raise ValueError(f"key leaves the store: {key}")
        return f"memory:{key}"
