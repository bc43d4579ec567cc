"""What a container printed, each piece with the stream it came from: the SDK's own reader does not say which."""

import struct
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import requests
from docker.errors import create_api_error_from_http_exception
from docker.models.containers import Container
from docker.types import CancellableStream

_HEADER = struct.Struct(">BxxxL")
STDOUT = 1


class Frame(NamedTuple):
    """What the engine kept at once: a line, or a part of a long one."""

    source: int
    data: bytes


class Frames(CancellableStream):  # type: ignore[type-arg]  # it has a parameter in its stubs alone
    """Frames until there are no more; the SDK's own stream takes an engine that goes away for such an end."""

    def __next__(self) -> Frame:
        following: Frame = next(self._stream)  # type: ignore[attr-defined]  # kept by the SDK's class
        return following


class Line(NamedTuple):
    """A whole line, and when its beginning was printed."""

    at: bytes
    text: bytes


def frames(
    container: Container,
    *,
    follow: bool,
    tail: int | Literal["all"] = "all",
    since: int | None = None,
    timestamps: bool = True,
) -> Frames:
    """Return what the container printed, each frame with the engine's time in front of it; the caller ends it.

    The SDK's own `logs` asks for the container once more after it has opened the stream, and leaves that open when the
    container was removed in between.
    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """
    client = container.client.api  # type: ignore[union-attr]  # who has a container has its client
    wanted = {"stdout": 1, "stderr": 1, "follow": int(follow), "tail": tail, "since": since or 0}
    wanted["timestamps"] = int(timestamps)
    url = f"{client.base_url}/v{client.api_version}/containers/{container.id}/logs"
    # Without a time limit: a container may be silent for as long as it likes.
    response = client.get(url, params=wanted, stream=True, timeout=None)
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)
    read = _of_terminal if container.attrs["Config"]["Tty"] else _of_streams
    return Frames(read(response), response)


def lines(frames: Iterator[Frame], *, unfinished: bool = True) -> Iterator[Line]:
    """Yield whole lines: parts of a line of one stream may have a line of the other between them.

    `unfinished` lines are those whose end was not printed.
    """
    begun: dict[int, Line] = {}
    for source, data in frames:
        at, _, piece = data.partition(b" ")
        first = begun.pop(source, Line(at, b""))
        whole = Line(first.at, first.text + piece)
        if whole.text.endswith(b"\n"):
            yield Line(whole.at, whole.text[:-1])
        else:
            begun[source] = whole
    if unfinished:
        yield from sorted(begun.values())


def _of_streams(response: Any) -> Iterator[Frame]:
    while len(header := response.raw.read(_HEADER.size)) == _HEADER.size:
        source, length = _HEADER.unpack(header)
        yield Frame(source, response.raw.read(length))


def _of_terminal(response: Any) -> Iterator[Frame]:
    for line in response.iter_lines(chunk_size=1):
        yield Frame(STDOUT, line + b"\n")
