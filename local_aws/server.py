"""The server: one process, one port of loopback, every service that boto3, Terraform and Headway ask."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from delivery.home import Home
from local_aws import reports, services
from local_aws.faults import Faults, answer_of
from local_aws.installation import LOOPBACK, Installation, set_current
from local_aws.journal import Answer, Journal
from local_aws.operations import asked, is_of_registry
from local_aws.registry import protocol as registry

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
        if is_of_registry(environ):
            return self._let_through(environ, start_response)
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
            _lose(environ)
        return given

    def _let_through(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a client of registries: what it sends and gets is never whole in memory, nor written down."""
        what = asked(environ, b"")
        fault = self.faults.take(what)
        if fault is None:
            return registry.answer(environ, start_response)
        if fault.kind != "answer lost":
            status, headers, content = _with_status(*answer_of(fault, what))
            start_response(status, headers)
            return [content]
        for _ in registry.answer(environ, lambda *_: None):
            pass
        return _lose(environ)

    def _answer(self, environ: dict[str, Any]) -> Answer:
        if reports.is_report(environ):
            return reports.take(environ)
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


def serve(home: Home, port: int) -> tuple[BaseWSGIServer, LocalAws]:
    """Return the server, bound to loopback, which the caller runs, and what it serves: a platform's home's records."""
    server = make_server(LOOPBACK, port, _nobody, threaded=True)  # bound first: records may name its port
    here = Installation(home, server.server_port)
    set_current(here)
    server.app = app = LocalAws(here.folder)
    return server, app


def _nobody(_: dict[str, Any], __: StartResponse) -> Iterable[bytes]:
    raise RuntimeError("asked before there is anything to answer with")


def _lose(environ: dict[str, Any]) -> NoReturn:
    """End the connection before the answer."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the answer is lost, as was asked for")


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
