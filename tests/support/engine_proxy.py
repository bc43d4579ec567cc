"""A Docker engine that can end without taking the real one with it: a socket in front of it."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENGINE = "/var/run/docker.sock"


@dataclass(frozen=True)
class Proxy:
    """The socket, and the file whose appearance ends it."""

    path: Path
    dies: Path


@contextmanager
def engine_proxy(path: Path) -> Iterator[Proxy]:
    """Pass everything through to the engine until the file `dies` appears: then cut all connections, take no more."""
    proxy, ended = Proxy(path, path.with_suffix(".dies")), threading.Event()
    thread = threading.Thread(target=_serve, args=(proxy, ended), daemon=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, proxy, ended), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            ended.set()
            thread.join()


def _serve(listener: socket.socket, proxy: Proxy, ended: threading.Event) -> None:
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as connections:
        selector.register(listener, selectors.EVENT_READ)
        while not ended.is_set():
            ready = selector.select(timeout=0.05)
            if proxy.dies.exists():
                proxy.path.unlink()
                return
            for key, _ in ready:
                if key.fileobj is listener:
                    _connect(listener, selector, connections)
                else:
                    _pass_on(key.fileobj, key.data, selector)  # type: ignore[arg-type]


def _connect(listener: socket.socket, selector: selectors.BaseSelector, connections: contextlib.ExitStack) -> None:
    here = connections.enter_context(listener.accept()[0])
    there = connections.enter_context(socket.socket(socket.AF_UNIX))
    there.connect(ENGINE)
    selector.register(here, selectors.EVENT_READ, there)
    selector.register(there, selectors.EVENT_READ, here)


def _pass_on(source: socket.socket, target: socket.socket, selector: selectors.BaseSelector) -> None:
    content = source.recv(65536)
    with contextlib.suppress(OSError):  # the other side is gone already
        target.sendall(content) if content else target.shutdown(socket.SHUT_WR)
    if not content:
        selector.unregister(source)
