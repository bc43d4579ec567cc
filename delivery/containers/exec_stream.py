"""A connection to a port on a container's own loopback, through the engine, so it works where the engine is remote."""

import io
import socket
import struct
from collections.abc import Callable
from typing import cast

from docker import DockerClient
from docker.models.containers import Container

# Whatever the image has: BusyBox and netcat know `nc`, images of Debian have bash.
_CONNECT = (
    "if command -v nc >/dev/null 2>&1; then exec nc 127.0.0.1 $1; fi; "
    "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & cat >&3' $1"
)
READ_SECONDS = 15.0


class ExecStream:
    """A stream to `port` inside `container`, as sockets are used by `http.client`."""

    def __init__(self, client: DockerClient, container: Container, port: int, *, seconds: float = READ_SECONDS) -> None:
        argv = ["sh", "-c", _CONNECT, "sh", str(port)]
        self._exec = client.api.exec_create(container.id, argv, stdin=True, stdout=True, stderr=False)["Id"]
        self._wrapper = client.api.exec_start(self._exec, socket=True)
        # Plain HTTP and unix sockets hide the socket one level down; TLS and SSH connections do not.
        self._socket = cast(socket.socket, getattr(self._wrapper, "_sock", self._wrapper))
        self._socket.settimeout(seconds)

    def sendall(self, content: bytes) -> None:
        """Send all of `content`."""
        self._socket.sendall(content)

    def makefile(self, _mode: str = "rb", *_args: object, **_kwargs: object) -> io.BufferedReader:
        """Return what comes back, as a file."""
        return io.BufferedReader(_Output(self._socket.recv))

    def close(self) -> None:
        """End the connection."""
        self._wrapper.close()
        self._socket.close()


class _Output(io.RawIOBase):
    """The standard output of the engine's multiplexed stream: frames of kind, length and bytes."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive, self._left = receive, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stubs ask for any buffer
        while not self._left:
            header = self._exactly(8)
            if len(header) < 8:
                return 0
            self._left = struct.unpack(">BxxxL", header)[1]
        content = self._receive(min(self._left, len(buffer)))
        self._left -= len(content)
        buffer[: len(content)] = content
        return len(content)

    def _exactly(self, count: int) -> bytes:
        content = b""
        while len(content) < count and (more := self._receive(count - len(content))):
            content += more
        return content
