"""The artifact store: objects by key, written once."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Protocol


class Store(Protocol):
    """Objects by key (`a/b/c.json`); nothing is overwritten."""

    def put(self, key: str, content: bytes) -> str:
        """Keep `content` under `key` and return where a person finds it; FileExistsError when the key is taken."""
        ...

    def get(self, key: str) -> bytes:
        """Return the content of `key`; FileNotFoundError when there is none."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below the folder `prefix`, as text sorts them."""
        ...

    def locate(self, key: str) -> str:
        """Return the path or address of `key`, whether it exists or not."""
        ...


class FolderStore:
    """A store in a folder; hosts may share it, where a link to a name that is taken fails on all of them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, content: bytes) -> str:
        """Write to the side, then link: another process sees the whole object or none. OSError names the path."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                _write(file, content, path)
                os.link(file.name, path)
            finally:
                os.unlink(file.name)
        return str(path)

    def get(self, key: str) -> bytes:
        """Read the object."""
        return self._path(key).read_bytes()

    def keys(self, prefix: str) -> Iterator[str]:
        """List the objects below `prefix`."""
        found = (path for path in self._path(prefix).rglob("*") if path.is_file() and not path.name.startswith("."))
        yield from sorted(path.relative_to(self.root).as_posix() for path in found)

    def locate(self, key: str) -> str:
        """The file's path."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise ValueError(f"key leaves the store: {key}")
        return path


def _write(file: IO[bytes], content: bytes, path: Path) -> None:
    try:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:  # the system does not say of what
        raise OSError(error.errno, error.strerror, str(path)) from error
