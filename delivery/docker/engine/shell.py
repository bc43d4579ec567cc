"""A shell inside a running container that carries out one command after the other.

The engine takes some 60 ms to start a command in a container, and a shell that is there some 5 ms. A release asks its
router dozens of times.
"""

import base64
import contextlib
import re
import secrets
import shlex
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import cast

from docker.errors import APIError
from docker.models.containers import Container
from docker.utils.socket import STDERR, STDOUT

from delivery.docker.engine.exec_stream import frames

# A line is a command in base64, and its end is told on both streams by a word that no command knows.
_LOOP = """
while read -r line; do
    sh -c "$(printf %s "$line" | base64 -d)" </dev/null
    code=$?
    printf '\\n%s %s\\n' "$0" $code
    printf '\\n%s\\n' "$0" >&2
done
"""
LONGEST_BYTES = 64 * 1024  # of a command: one word of a program's arguments may have 128 KiB, in base64 twice


class Shell:
    """A shell in `container`, for one process; several threads take turns.

    It is opened by the first command, and again when it ended meanwhile: an engine may have been restarted. What was
    asked just then is asked twice, so nothing may do harm that is done twice.
    """

    def __init__(self, container: Container, *, user: str = "", seconds: float = 60) -> None:
        self._container, self._user, self._seconds = container, user, seconds
        self._turn = threading.Lock()
        self._open: _Session | None = None

    def run(self, argv: Sequence[str], *, seconds: float | None = None) -> tuple[int, str, str]:
        """Run a command and return its exit code, output and errors.

        Raises APIError when the container does not run, TimeoutError when nothing is said for `seconds` (those of the
        shell, unless it is told others), and ConnectionError when the container ended meanwhile.
        """
        limit = self._seconds if seconds is None else seconds
        with self._turn:
            if self._open:
                with contextlib.suppress(ConnectionError):
                    return self._ask(self._open, argv, limit)
            self._open = _Session(self._container, self._user)
            return self._ask(self._open, argv, limit)

    def close(self) -> None:
        """End it."""
        if self._open:
            self._open.close()
        self._open = None

    def _ask(self, session: "_Session", argv: Sequence[str], seconds: float) -> tuple[int, str, str]:
        try:
            return session.ask(shlex.join(argv), seconds)
        except (OSError, APIError):
            self.close()
            raise


class _Session:
    """One shell, from its start to its end."""

    def __init__(self, container: Container, user: str) -> None:
        assert container.client
        api = container.client.api
        self._word = secrets.token_hex(12)
        argv = ["sh", "-c", _LOOP, self._word]
        created = api.exec_create(container.id, argv, stdin=True, stdout=True, stderr=True, user=user)["Id"]
        self._wrapper = api.exec_start(created, socket=True)
        self._connection = cast(socket.socket, getattr(self._wrapper, "_sock", self._wrapper))
        self._frames: Iterator[tuple[int, bytes]] = frames(self._connection.recv)

    def ask(self, command: str, seconds: float) -> tuple[int, str, str]:
        self._connection.settimeout(seconds)
        self._connection.sendall(base64.b64encode(command.encode()) + b"\n")
        said = {STDOUT: b"", STDERR: b""}
        out = re.compile(rb"\n%s (\d+)\n\Z" % self._word.encode())
        end = f"\n{self._word}\n".encode()
        for stream, content in self._frames:
            said[stream] += content
            if said[STDERR].endswith(end) and (found := out.search(said[STDOUT])):
                output, errors = said[STDOUT][: found.start()], said[STDERR].removesuffix(end)
                return int(found[1]), output.decode(errors="replace"), errors.decode(errors="replace")
        raise ConnectionError("the shell ended")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._wrapper.close()
        self._connection.close()
