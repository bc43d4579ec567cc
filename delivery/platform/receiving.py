"""The receiver as a process: served in this one, or in one of its own that the platform keeps."""

import logging
import socket
import threading
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.hooks import bounds
from delivery.hooks.connections import Connections, Listening
from delivery.hooks.spool import Spool
from delivery.platform.forwarder import Events, Forwarder, PrefectEvents
from delivery.platform.intake import Intake
from delivery.platform.orchestrator import CLIENT_KEY, Orchestrator
from delivery.platform.prefect_api import PrefectApi
from delivery.platform.receiver import Fetch, Receiver, create_app
from delivery.platform.sns_certificates import Kept

LONGEST_HEADERS = 16 * 2**10
GRACE_SECONDS = 10
BACKLOG = 1024


class Patient(H11Protocol):
    """HTTP/1.1 in which a connection that has sent no whole request's headers in time is ended.

    uvicorn itself waits for ever: its limits count from the end of a request on.
    """

    header_seconds = bounds.HEADER_SECONDS

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._limit = self.loop.call_later(self.header_seconds, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._limit.cancel()
        super().connection_lost(exc)

    def _end(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def server_of(prefect: Orchestrator) -> PrefectApi:
    """Return the Prefect server that is told."""
    return prefect.elsewhere or PrefectApi(prefect.api, {CLIENT_KEY: prefect.key.get_secret_value()})


def serve(home: Home, where: Listening, *, events: Events | None = None, fetch: Fetch | None = None) -> None:
    """Receive and tell until SIGTERM or SIGINT; Misconfigured when nobody can listen there.

    It ends as well, by itself, where nobody tells any more: whoever keeps it starts it again.
    """
    listener = listen(where)
    spool = Spool.of(home)
    prefect = Orchestrator(home)
    forwarder = Forwarder(spool, events or PrefectEvents(lambda: server_of(prefect)))
    intake = Intake(spool, forwarder.kick)
    app = create_app(Receiver(Connections(home), intake, fetch or Kept()))
    server = uvicorn.Server(server_config(app))

    def forward() -> None:
        try:
            forwarder.run()
        finally:
            server.should_exit = True

    forwarding = threading.Thread(target=forward, name="forwarder", daemon=True)
    forwarding.start()
    host, port = listener.getsockname()[:2]
    logging.getLogger("headway.hooks").warning("receiving on %s:%s", host, port)
    try:
        server.run(sockets=[listener])
    finally:
        forwarder.end()
        forwarding.join(GRACE_SECONDS)
        spool.close()
        listener.close()


def listen(where: Listening) -> socket.socket:
    """Return a socket that listens; Misconfigured, with what to do, when that cannot be."""
    try:
        family, *_, address = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
    except OSError as error:
        raise Misconfigured("headway hooks", f"{where.host}: {error}", "an address of this machine") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        found = f"nobody can listen on {where.host}:{where.port}: {error.strerror}"
        raise Misconfigured("headway hooks", found, next_step="headway hooks listen --port PORT") from error
    return listener


def server_config(app: Any) -> uvicorn.Config:
    """Return how the receiver is served: few headers, no more connections than can be held, nothing said of itself."""
    return uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=bounds.MOST_CONNECTIONS,
        h11_max_incomplete_event_size=LONGEST_HEADERS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
