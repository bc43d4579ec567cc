"""The files of a backup on their way out of a container and into one: streamed, for they may be large."""

import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from docker.models.containers import Container

from delivery.docker.engine.paths import archive_of
from delivery.errors import Rejected

CHUNK_BYTES = 1 << 20


def fetch(container: Container, files: Iterable[str], folder: Path) -> None:
    """Copy `files` out of the container into `folder`, for its owner alone; Rejected when one is not there."""
    for file in files:
        path = PurePosixPath(file)
        with archive_of(container, path) as archive:
            entry = archive.next() if archive else None
            content = archive.extractfile(entry) if archive and entry else None
            if content is None:
                raise Rejected(f"there is no {path.name} in the backup; {container.name} did not write it")
            with open(os.open(folder / path.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
                shutil.copyfileobj(content, target, CHUNK_BYTES)


def lay(container: Container, files: Iterable[Path], folder: str) -> None:
    """Copy `files` into `folder` of the container, where they belong to root."""
    for file in files:
        with file.open("rb") as content:
            container.put_archive(folder, _archived(file.name, os.fstat(content.fileno()).st_size, content.read))


def _archived(name: str, size: int, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield a tar archive with one file, read bit by bit."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    yield entry.tobuf(tarfile.GNU_FORMAT)
    while chunk := read(CHUNK_BYTES):
        yield chunk
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
