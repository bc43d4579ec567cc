"""The server: one process, one port of loopback, every service that boto3, Terraform and Headway ask."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from delivery.home import Home
from local_aws import services
from local_aws.agents.ecs import EcsAgent
from local_aws.faults import Faults, answer_of
from local_aws.installation import LOOPBACK, Installation, set_current
from local_aws.journal import Answer, Journal
from local_aws.operations import asked

FAULTS_PATH = "/headway/faults"
STATUS_PATH = "/headway/status"
StartResponse = Callable[..., Any]


class LocalAws:
    """The WSGI application: faults first, then what changes something one after the other, all else side by side."""

    def __init__(self, folder: Path) -> None:
        services.add_ours()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.faults, self.journal = Faults(), Journal(folder / "requests.jsonl")
        self.replayed = self.journal.replay(self._answer)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        body = _body_of(environ)
        status, headers, content = self._respond(environ, body)
        start_response(status, headers)
        return [content]

    def _respond(self, environ: dict[str, Any], body: bytes) -> Answer:
        path = environ.get("PATH_INFO", "/")
        if path == STATUS_PATH:
            return _json({"replayed": self.replayed})
        if path == FAULTS_PATH:
            return self._change_faults(environ, body)
        what = asked(environ, body)
        fault = self.faults.take(what)
        if fault and fault.kind != "answer lost":
            return _with_status(*answer_of(fault, what))
        given = (
            self.journal.do(environ, body, self._answer)
            if what.changes
            else self._answer({**environ, "wsgi.input": _again(body)})
        )
        if fault:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("the answer is lost, as was asked for")
        return given

    def _answer(self, environ: dict[str, Any]) -> Answer:
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            told[:] = [status, headers]
            return lambda _: None

        chunks = self._moto(environ, start)
        content = b"".join(chunks)
        with contextlib.suppress(AttributeError):
            chunks.close()
        return told[0], told[1], content

    def _change_faults(self, environ: dict[str, Any], body: bytes) -> Answer:
        if environ["REQUEST_METHOD"] == "PUT":
            try:
                self.faults.put(body)
            except ValueError as error:
                return _json({"error": str(error)}, "400 Bad Request")
        return _json(self.faults.left())


def serve(home: Home, port: int) -> tuple[BaseWSGIServer, EcsAgent]:
    """Return the server, bound to loopback, with the records of `HOME/aws`, and who acts for it; both are to be run."""
    app = LocalAws(home.root / "aws")
    server = make_server(LOOPBACK, port, app, threaded=True)
    set_current(Installation(home, server.server_port))
    return server, EcsAgent(app, app.faults)


def _body_of(environ: dict[str, Any]) -> bytes:
    """Read a request's body, whole: also one that comes in chunks."""
    stream = environ["wsgi.input"]
    if length := environ.get("CONTENT_LENGTH"):
        return bytes(stream.read(int(length)))
    return bytes(stream.read()) if environ.get("wsgi.input_terminated") else b""


def _again(body: bytes) -> Any:
    return BytesIO(body)


def _json(content: object, status: str = "200 OK") -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(content).encode()


def _with_status(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    return f"{status} Fault", headers, body
