"""How a container ends, and its log in short."""

import io
import tarfile
import time

import requests
from docker.errors import APIError
from docker.models.containers import Container

SLICE_SECONDS = 20.0


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


def prepare_folder(container: Container, folder: str) -> None:
    """Make `folder` in the container, writable for whatever user its command runs as."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(folder.strip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(entry)
    container.put_archive("/", buffer.getvalue())


def _is_timeout(error: requests.exceptions.RequestException) -> bool:
    return isinstance(error, requests.exceptions.ReadTimeout) or "timed out" in str(error).lower()
