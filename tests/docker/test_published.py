"""A router that nobody reaches at its published address is no delivery, and the message names the key."""

import socket
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from delivery.docker.target import published
from delivery.docker.target.published import bracketed, check_published
from delivery.errors import Misconfigured
from tests.support.platforms import free_port

WHERE = "headway.yaml: environments.production.target"
BAD_REQUEST = b"HTTP/1.0 400 Bad request\r\n\r\n"


class Router:
    """A router of an engine that says `there` when it is asked on its own machine."""

    def __init__(self, bind, port, there=b""):
        self.bind, self.port, self.https_port, self.asked_there = bind, port, None, 0
        self.container = SimpleNamespace(attrs={"Image": "sha256:0"})
        self.client = SimpleNamespace(containers=self, version=lambda: {"Version": "20.10.24"})
        self.labels, self._there = (lambda role: {"role": role}), there

    def run(self, image, *, entrypoint, network_mode, labels, remove):
        assert (network_mode, remove) == ("host", True)
        self.asked_there += 1
        return self._there


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(published, "FOR_SECONDS", 0)


@contextmanager
def answering():
    """Somebody who answers as a router does; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(BAD_REQUEST)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])  # as people write it
def test_a_router_that_answers_here_is_asked_nowhere_else(bind):
    with answering() as port:
        router = Router(bind, port)
        check_published(router, None, WHERE)

    assert router.asked_there == 0


def test_an_address_that_only_the_docker_host_reaches_is_asked_there():
    router = Router("127.0.0.1", free_port(), BAD_REQUEST)

    check_published(router, "docker.example.com", WHERE)

    assert router.asked_there == 1


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        (
            "::1",
            r"bind: ::1, where nobody answers at \[::1\]:\d+ although (.|\n)*20\.10\.24(.|\n)*IPv6",
        ),
        (
            "127.0.0.1",
            r"bind: 127.0.0.1, where nobody answers at 127.0.0.1:\d+ although (.|\n)*ss -ltn 'sport = :\d+'",
        ),
    ],
)
def test_an_address_that_nobody_reaches_is_told_with_its_key(bind, said):
    with pytest.raises(Misconfigured, match=said):
        check_published(Router(bind, free_port()), None, WHERE)


def test_an_ipv6_address_stands_in_brackets_in_a_url():
    assert [bracketed(one) for one in ("::1", "127.0.0.1", "shop.org")] == ["[::1]", "127.0.0.1", "shop.org"]
