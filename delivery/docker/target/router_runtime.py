"""Connections to the processes of a router, which answer many questions quickly."""

import io
from typing import TYPE_CHECKING

from docker.errors import APIError

from delivery.docker.engine.exec_stream import ExecStream
from delivery.errors import Transient
from delivery.programs import haproxy_runtime, haproxy_values
from delivery.programs.haproxy_runtime import ServerStat

if TYPE_CHECKING:
    from delivery.docker.target.router import Router


class Runtime:
    """A connection to a router's runtime interface, which answers many commands quickly; it opens again when it broke.

    It stays with the process that it was opened to: after a reload that is not the one that serves.
    """

    port, prompt = haproxy_values.RUNTIME_PORT, b"\n> "

    def __init__(self, router: "Router") -> None:
        self._router = router
        self._stream: ExecStream | None = None
        self._answers: io.BufferedReader | None = None

    def stat(self) -> list[ServerStat]:
        """Return every server with its counters since the last reload; Transient when the router does not answer."""
        try:
            if self._stream is None:
                self._open()
            return self._stat()
        except (Transient, OSError, APIError) as error:
            self.close()
            raise Transient(f"the router does not answer: {error}") from error

    def close(self) -> None:
        """End the connection."""
        if self._stream:
            self._stream.close()
        self._stream = None

    def idle(self) -> list[int]:
        """Return nothing: processes that a reload has replaced are out of reach."""
        return []

    def _stat(self) -> list[ServerStat]:
        return haproxy_runtime.parse_stat(self._ask("show stat"))

    def _open(self) -> None:
        self._stream = ExecStream(self._router.client, self._router.container, self.port)
        self._answers = self._stream.makefile()
        self._ask("prompt")

    def _ask(self, command: str) -> str:
        assert self._stream
        assert self._answers
        self._stream.sendall(f"{command}\n".encode())
        answer = b""
        while not (b"\n" + answer).endswith(self.prompt):
            more = self._answers.read1(65536)
            if not more:
                raise Transient("it ended the connection")
            answer += more
        return answer.removesuffix(self.prompt.strip(b"\n")).decode(errors="replace")


class Workers(Runtime):
    """A connection to all processes of a router: those that a reload has replaced live on while users are connected.

    A reload ends it, and a process that ends just when it is asked.
    """

    port, prompt = haproxy_values.MASTER_PORT, b"\nmaster> "

    def _stat(self) -> list[ServerStat]:
        numbers = haproxy_runtime.parse_workers(self._ask(haproxy_runtime.WORKERS))
        return [one for number in numbers for one in haproxy_runtime.parse_stat(self._ask(f"@!{number} show stat"))]

    def idle(self) -> list[int]:
        """Return the processes that a reload has replaced and in which no request is in flight."""
        self.stat()
        try:
            _, *replaced = haproxy_runtime.parse_workers(self._ask(haproxy_runtime.WORKERS)) or [0]
            return [number for number in replaced if not haproxy_runtime.in_flight(self._ask(f"@!{number} show sess"))]
        except (OSError, APIError) as error:
            raise Transient(f"the router does not answer: {error}") from error
