"""The application that is released: small, correct under a load, and at fault in the way KIND says.

It runs alone in a container, with nothing but Python's own library. SIGUSR1 makes a fault act that acts on command; a
file remembers that over restarts. SIGTERM ends it as a web server should: what is in flight is answered first.
"""

import http.server
import json
import os
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

KIND, NUMBER = os.environ.get("KIND", "good"), os.environ.get("NUMBER", "0")
ACTING = Path("/tmp/acting")
TOLD_ANYTHING = Path("/tmp/told")
LATENCY_SECONDS = 0.02
SLOWER = 5
NOISE_ERRORS = 0.005
CRASH_AFTER_SECONDS = 1.0
WRONG_DIGEST = "sha256:" + "0" * 64


def is_acting() -> bool:
    """Whether the fault was told to act."""
    return ACTING.exists()


def health() -> int:
    """Return the status of the health check."""
    if KIND == "sick" or (KIND == "loses-health" and is_acting()):
        return 503
    return 503 if KIND == "half-liar" and not TOLD_ANYTHING.exists() else 200


def status() -> int:
    """Return the status of what users ask."""
    if KIND == "sick":
        return 503
    noisy = KIND == "noisy" and random.random() < NOISE_ERRORS
    return 500 if KIND == "failing" or noisy else 200


def latency_seconds() -> float:
    """Return how long one answer takes to make."""
    if KIND == "noisy":
        return random.lognormvariate(0, 0.5) * LATENCY_SECONDS
    return LATENCY_SECONDS * (SLOWER if KIND == "slow" else 1)


def version() -> str:
    """Return what the version path tells."""
    lies = KIND == "liar" or (KIND == "half-liar" and is_acting())
    digest = WRONG_DIGEST if lies else os.environ.get("HEADWAY_DIGEST") or f"number {NUMBER}"
    return json.dumps({"digest": digest, "revision": os.environ.get("HEADWAY_REVISION"), "number": NUMBER})


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers, over connections that are kept."""

    protocol_version = "HTTP/1.1"
    timeout = 75  # longer than any router keeps an idle connection
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer()

    def do_POST(self) -> None:
        """Take what was sent and answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def handle_one_request(self) -> None:
        """Wait for a request, which may not come, and answer it."""
        self.server.idle.add(self.connection)
        super().handle_one_request()
        if self.server.is_ending:
            self.close_connection = True

    def _answer(self) -> None:
        self.server.idle.discard(self.connection)
        found, body = 200, NUMBER
        if self.path == "/healthz":
            found = health()
        elif self.path == "/version":
            body = version()
        else:
            time.sleep(2 if self.path == "/slow" else latency_seconds())
            found = status()
        content = body.encode()
        self.send_response(found)
        self.send_header("X-Release", NUMBER)
        self.send_header("Content-Length", str(len(content)))
        if self.server.is_ending:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing of single requests."""


class Server(http.server.ThreadingHTTPServer):
    """Knows which of its connections are idle, so that it can end without cutting an answer."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self) -> None:
        self.idle: set[socket.socket] = set()
        self.is_ending = False
        super().__init__(("", 8000), Handler)

    def end(self, *_: object) -> None:
        """Take no new connection, close idle ones and let the others finish."""
        self.is_ending = True
        threading.Thread(target=self.shutdown, daemon=True).start()
        for connection in list(self.idle):
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                self.idle.discard(connection)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ended."""
        self.idle.discard(request)
        super().shutdown_request(request)


def crash_soon() -> None:
    """End without a word, a moment from now."""
    threading.Timer(CRASH_AFTER_SECONDS, lambda: os._exit(1)).start()


def act(*_: object) -> None:
    """Begin to be at fault."""
    ACTING.touch()
    TOLD_ANYTHING.touch()
    if KIND == "crash-loop":
        os._exit(1)


def main() -> None:
    """Serve until told to end."""
    server = Server()
    signal.signal(signal.SIGUSR1, act)
    signal.signal(signal.SIGUSR2, lambda *_: TOLD_ANYTHING.touch())
    signal.signal(signal.SIGTERM, server.end)
    if KIND == "crash-loop" and is_acting():
        crash_soon()
    print("serving", KIND, NUMBER, flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    sys.exit(0)


if __name__ == "__main__":
    main()
