"""Files in a container as the engine tells of them: what a path is, and its content as a stream."""

import base64
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, cast

import requests
from docker.errors import create_api_error_from_http_exception
from docker.models.containers import Container

FOLDER, LINK = 1 << 31, 1 << 27  # in the engine's word for the mode of a file
OTHER = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19  # devices, pipes, sockets, and what it does not know
_MOMENT = re.compile(r"([^.Z+]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


@contextmanager
def archive_of(container: Container, path: PurePosixPath) -> Iterator[tarfile.TarFile | None]:
    """Open what the engine streams of a path; its answer is closed whatever happens, and none when it is not there."""
    with _asked(container, "get", path) as response:
        if response is None:
            yield None
            return
        with tarfile.open(fileobj=cast(Any, response.raw), mode="r|") as archive:
            yield archive


def stat_of(container: Container, path: PurePosixPath) -> dict[str, Any] | None:
    """Return what the engine says of a path: `mode`, and of a link where it leads in the end."""
    with _asked(container, "head", path) as response:
        if response is None:
            return None
        return dict(json.loads(base64.b64decode(response.headers["X-Docker-Container-Path-Stat"])))


@contextmanager
def _asked(container: Container, method: str, path: PurePosixPath) -> Iterator[requests.Response | None]:
    """Ask the engine for a path; the SDK's own call keeps the answer open when it is not read to its end."""
    assert container.client
    api = container.client.api
    url = f"{api.base_url}/v{api.api_version}/containers/{container.id}/archive"
    asked = {"params": {"path": str(path).encode(errors="surrogateescape")}, "stream": True, "timeout": api.timeout}
    with api.request(method, url, headers={"Accept-Encoding": "identity"}, **cast(Any, asked)) as response:
        # Links in a circle are no fault of the engine, which answers as if they were.
        if response.status_code == requests.codes.not_found or (method == "head" and not response.ok):
            yield None
            return
        try:
            response.raise_for_status()
        except requests.HTTPError as error:
            raise create_api_error_from_http_exception(error) from error
        yield response


def moment_seconds(moment: str) -> float:
    """Return a moment as the engine writes it, to the nanosecond: 2030-01-01T12:00:00.123456789Z, or with an offset."""
    written = _MOMENT.fullmatch(moment)
    if written is None:
        raise ValueError(f"no moment: {moment}")
    whole, fraction, zone = written[1], written[2] or "0", written[3].replace("Z", "+00:00")
    return datetime.fromisoformat(whole + zone).timestamp() + float(f"0.{fraction}")
