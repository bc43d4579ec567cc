"""What a container leaves behind: exit code, log, files."""

import io
import re
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import requests
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from delivery.errors import Rejected

SLICE_SECONDS = 20.0
MAX_REPORT_BYTES = 64_000_000
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f]")


def wait_for_end(container: Container, timeout_seconds: float) -> int | None:
    """Return the exit code, or none when the container had to be killed after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            return int(container.wait(timeout=min(left, SLICE_SECONDS))["StatusCode"])
        except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError) as error:
            if not _is_timeout(error):
                raise
    container.reload()
    if not container.attrs["State"]["Running"]:
        return int(container.attrs["State"]["ExitCode"])
    try:
        container.kill()
    except APIError:  # it ended in this moment
        container.reload()
        return int(container.attrs["State"]["ExitCode"])
    return None


def save_log(container: Container, path: Path) -> None:
    """Write everything the container printed to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in container.logs(stream=True, follow=False):
            file.write(chunk)


def last_lines(path: Path, count: int = 25) -> str:
    """Return the last lines of a log that are not empty, without colours and control characters."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 32_768))
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in _CONTROL.sub("", text).splitlines()]
    return "\n".join([line for line in lines if line][-count:])


def prepare_folder(container: Container, folder: str) -> None:
    """Make `folder` in the container, writable for whatever user its command runs as."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(folder.strip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(entry)
    container.put_archive("/", buffer.getvalue())


def copy_out(container: Container, pattern: str, folder: Path) -> tuple[str, ...]:
    """Copy the container's files that match the glob `pattern` to `folder`; return their names there.

    A relative pattern starts at the container's working directory. Raises Rejected above 64 MB.
    """
    whole = PurePosixPath("/", container.attrs["Config"].get("WorkingDir") or "/", pattern)
    start = _before_wildcard(whole)
    try:
        stream, _ = container.get_archive(str(start))
    except NotFound:
        return ()
    with tarfile.open(fileobj=_Reader(stream), mode="r|") as archive:
        return tuple(sorted(_extract(archive, start, glob_pattern(str(whole)), folder)))


def glob_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a glob in which `**` crosses folders and `*` does not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts))


def _before_wildcard(pattern: PurePosixPath) -> PurePosixPath:
    """Return the deepest folder, or the file itself, that holds all matches."""
    fixed: list[str] = []
    for part in pattern.parts:
        if set("*?") & set(part):
            break
        fixed.append(part)
    return PurePosixPath(*fixed)


def _extract(archive: tarfile.TarFile, start: PurePosixPath, wanted: re.Pattern[str], folder: Path) -> Iterator[str]:
    """Write the matching regular files below `folder`, flat, and yield their names."""
    for entry in archive:
        path = start.parent / entry.name
        if not entry.isfile() or not wanted.fullmatch(str(path)):
            continue
        content = archive.extractfile(entry) or io.BytesIO()
        name = "-".join(PurePosixPath(path.relative_to(start) if path != start else path.name).parts)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.read())
        yield name


class _Reader(io.RawIOBase):
    """The chunks of an archive as a file to read, up to a limit."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest, self._read = iter(chunks), b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        self._read += size
        if self._read > MAX_REPORT_BYTES:
            raise Rejected(f"the reports of the suite are larger than {MAX_REPORT_BYTES // 1_000_000} MB")
        return size


def _is_timeout(error: requests.exceptions.RequestException) -> bool:
    return isinstance(error, requests.exceptions.ReadTimeout) or "timed out" in str(error).lower()
