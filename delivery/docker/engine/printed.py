"""What containers print, as lines of several of them in the order of their time."""

import heapq
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from docker.models.containers import Container

from delivery.docker.engine.frames import Frame, Frames, frames, lines
from delivery.docker.engine.streams import given_back
from delivery.ports.logs import LogLine, LogWish


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


def _open(container: Container, wish: LogWish) -> Frames:
    since = int(wish.since.timestamp()) if wish.since else None
    return frames(container, follow=wish.follow, tail="all" if wish.tail is None else wish.tail, since=since)


def _read(source: str, stream: Iterator[Frame]) -> Iterator[_Stamped]:
    for line in lines(stream):
        yield _Stamped(line.at, LogLine(source=source, text=line.text.decode(errors="replace").rstrip("\r")))


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
