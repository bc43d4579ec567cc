"""Commands inside a running container, and connections to its own loopback, through the engine: it may be remote.

The Docker SDK reads the first bytes of a command's output together with the engine's answer and drops them when they
come quickly. So every command here waits for a first line from this side before it says anything.
"""

import contextlib
import io
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from docker import APIClient, DockerClient
from docker.models.containers import Container
from docker.utils.socket import STDERR, STDOUT

from delivery.waiting import until

# Whatever the image has: BusyBox and netcat know `nc`, images of Debian have bash.
_CONNECT = (
    "if command -v nc >/dev/null 2>&1; then exec nc 127.0.0.1 $1; fi; "
    "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & cat >&3' $1"
)
READ_SECONDS = 15.0
END_SECONDS = 2.0
KILLED = 137  # 128 and SIGKILL


_AFTER_A_LINE = 'read -r _; exec "$@"'


def run_in(
    container: Container,
    argv: Sequence[str],
    *,
    user: str = "",
    seconds: float = 60,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:
    """Run a command inside, with `env` over the container's variables; return its exit code, output and errors.

    Raises APIError when the container does not run, TimeoutError when it says nothing for `seconds`.
    """
    assert container.client
    api = container.client.api
    wrapped = ["sh", "-c", _AFTER_A_LINE, "sh", *argv]
    created = api.exec_create(
        container.id, wrapped, stdin=True, stdout=True, stderr=True, user=user, environment=dict(env or {})
    )["Id"]
    wrapper = api.exec_start(created, socket=True)
    connection = cast(socket.socket, getattr(wrapper, "_sock", wrapper))
    connection.settimeout(seconds)
    said = {STDOUT: b"", STDERR: b""}
    try:
        connection.sendall(b"\n")
        for stream, content in frames(connection.recv):
            said[stream] += content
    except TimeoutError as error:
        raise TimeoutError(f"{argv[0]} said nothing for {seconds:g} s in {container.name}") from error
    finally:
        wrapper.close()
        connection.close()
    code = _exit_code(api, created)
    return code, said[STDOUT].decode(errors="replace"), said[STDERR].decode(errors="replace")


def _exit_code(api: APIClient, created: str) -> int:
    """Return how a command ended that says nothing any more; the engine may need a moment to know it.

    Of one that went down with its container it may never know: that did not end well.
    """

    def inspected() -> str:  # "0" is an answer
        code = api.exec_inspect(created)["ExitCode"]
        return "" if code is None else str(code)

    return int(until(inspected, seconds=END_SECONDS, every=0.01) or KILLED)


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
        """End the connection; whoever waits for more of it hears of the end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._wrapper.close()
        self._socket.close()


class _Output(io.RawIOBase):
    """What a command says, as a file."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._frames, self._rest = frames(receive), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stubs ask for any buffer
        if not self._rest:
            self._rest = next(self._frames, (STDOUT, b""))[1]
        count = min(len(self._rest), len(buffer))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def frames(receive: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield which stream and what came on it: the engine sends frames of kind, length and bytes.

    The SDK's own `frames_iter` polls the socket first, without a limit: it waits for ever where nothing comes, and over
    TLS also where what came is decrypted already.
    """
    while len(header := _exactly(receive, 8)) == 8:
        stream, length = struct.unpack(">BxxxL", header)
        content = _exactly(receive, length)
        if content:
            yield stream, content


def _exactly(receive: Callable[[int], bytes], count: int) -> bytes:
    content = b""
    while len(content) < count and (more := receive(count - len(content))):
        content += more
    return content
