"""What containers print, as lines of several of them in the order of their time."""

import heapq
import queue
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Literal, NamedTuple

from docker.models.containers import Container
from docker.types import CancellableStream

from delivery.docker.engine.streams import given_back
from delivery.ports.logs import LogLine, LogWish

# The engine puts it in front of what was printed at once, which may be a part of a line.
_TIME = re.compile(rb"^(\d{4}-\d\d-\d\dT[\d:.]+Z) ")


class _Stamped(NamedTuple):
    at: bytes
    line: LogLine


def lines_of(containers: Mapping[str, Container], wish: LogWish) -> Iterator[LogLine]:
    """Yield what the containers print, each line with the name its container has here; oldest first.

    Lines that are followed come as they are printed.
    """
    with ExitStack() as opened:
        streams = {name: opened.enter_context(given_back(_open(one, wish))) for name, one in containers.items()}
        read = [_read(name, stream) for name, stream in streams.items()]
        together = _as_they_come(read) if wish.follow else heapq.merge(*read, key=lambda one: one.at)
        for one in together:
            yield one.line


def _open(container: Container, wish: LogWish) -> "CancellableStream[bytes]":
    tail: int | Literal["all"] = "all" if wish.tail is None else wish.tail
    since = int(wish.since.timestamp()) if wish.since else None
    return container.logs(stream=True, follow=wish.follow, timestamps=True, tail=tail, since=since)


def _read(source: str, chunks: Iterable[bytes]) -> Iterator[_Stamped]:
    """Yield whole lines; the time is that of a line's beginning."""
    at, rest = b"", b""
    for chunk in chunks:
        found = _TIME.match(chunk)
        if found and not rest:
            at = found[1]
        *lines, rest = (rest + (chunk[found.end() :] if found else chunk)).split(b"\n")
        yield from (_Stamped(at, _line(source, line)) for line in lines)
    if rest:
        yield _Stamped(at, _line(source, rest))


def _line(source: str, line: bytes) -> LogLine:
    return LogLine(source=source, text=line.decode(errors="replace").rstrip("\r"))


def _as_they_come(streams: Iterable[Iterator[_Stamped]]) -> Iterator[_Stamped]:
    """Yield from all streams as they go on, until all have ended."""
    waiting: queue.SimpleQueue[_Stamped | Exception | None] = queue.SimpleQueue()

    def carry(stream: Iterator[_Stamped]) -> None:
        try:
            for one in stream:
                waiting.put(one)
            waiting.put(None)
        except Exception as error:  # read by nobody when the streams were closed because nobody reads any more
            waiting.put(error)

    threads = [threading.Thread(target=carry, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    left = len(threads)
    while left:
        one = waiting.get()
        if isinstance(one, Exception):
            raise one
        if one is None:
            left -= 1
        else:
            yield one
