"""A receiver that listens on a free port of this machine, and a client that may be as slow as it likes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn

from delivery.home import Home
from delivery.hooks.connections import Connection, Connections, Listening
from delivery.hooks.spool import Spool
from delivery.platform.intake import Intake
from delivery.platform.receiver import Bodies, Receiver, create_app
from delivery.platform.receiving import Patient, listen, server_config
from tests.support.senders import TOPIC

SECONDS = 60


@dataclass
class Running:
    """A receiver, its spool, and what was told after something was kept."""

    home: Home
    spool: Spool
    port: int
    client: httpx.Client
    told: list[None] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/{path}"
        return self.client.post(url, content=body, headers=headers)

    @property
    def secret(self) -> str:
        found = Connections(self.home).secret("shop")
        assert found
        return found.get_secret_value()

    @property
    def kept(self) -> list[str]:
        """What is on the disk: kind and delivery."""
        return [f"{one.arrival.kind} {one.arrival.delivery}" for one in self.spool.due(1000, 1e12)]

    def raw(self, *pieces: bytes) -> socket.socket:
        """Send some bytes over a connection of its own, which stays open."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        for piece in pieces:
            connection.sendall(piece)
        return connection


def connect_all(home: Home) -> None:
    """Let GitHub, SNS and a registry send."""
    connections = Connections(home)
    address = "https://git.example/acme/shop.git"
    connections.keep(Connection(name="shop", source="github", project=address, repository="acme/shop"))
    connections.keep(Connection(name="images", source="registry", app="shop"))
    connections.keep(
        Connection(
            name="alarms", source="aws", app="shop", environment="production", topics=(TOPIC,), alarms=("shop-*",)
        )
    )


@contextmanager
def running_receiver(
    home: Home, fetch: Callable[[str], bytes], *, seconds: float = 5, held_bytes: int = 64 * 2**20
) -> Iterator[Running]:
    """Yield a receiver that gives headers and bodies `seconds`."""

    class Impatient(Patient):
        header_seconds = seconds

    spool = Spool.of(home)
    client = httpx.Client(verify=False, trust_env=False, timeout=SECONDS)  # there is no HTTPS here
    found = Running(home, spool, 0, client)

    def fetched(url: str) -> bytes:
        found.fetched.append(url)
        return fetch(url)

    bodies = Bodies(seconds=seconds, held_bytes=held_bytes)
    intake = Intake(spool, lambda: found.told.append(None))
    app = create_app(Receiver(Connections(home), intake, fetched, bodies))
    listener = listen(Listening(port=0))
    found.port = listener.getsockname()[1]
    config = server_config(app)
    config.http = Impatient
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        client.close()
        listener.close()
        spool.close()
