"""What is fetched from SNS: little, from nowhere else, and not twice."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from delivery.errors import Transient
from delivery.platform.sns_certificates import MOST_BYTES, Kept


@pytest.fixture
def host() -> Iterator[ThreadingHTTPServer]:
    """A host whose answers have what their path says, and that counts what it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            kind = self.path.split("/")[1]
            self.send_response({"gone": 404, "on": 302}.get(kind, 200))
            self.send_header("Location", "/elsewhere/a.pem")
            self.end_headers()
            self.wfile.write(b"x" * (MOST_BYTES + 1) if kind == "long" else b"certificate")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def url(host, path):
    return f"http://127.0.0.1:{host.server_port}/{path}"


def test_a_certificate_is_fetched_once(host):
    fetch = Kept()

    assert [fetch(url(host, "good/a.pem")) for _ in range(3)] == [b"certificate"] * 3
    assert host.asked == ["/good/a.pem"]


def test_a_confirmation_is_asked_for_each_time(host):
    fetch = Kept()

    assert [fetch(url(host, "confirm")) for _ in range(2)] == [b"certificate"] * 2
    assert host.asked == ["/confirm", "/confirm"]


@pytest.mark.parametrize("path", ["gone/a.pem", "on/a.pem", "long/a.pem"])
def test_what_is_no_certificate_is_not_taken_for_one_and_asked_for_again(host, path):
    fetch = Kept()

    for _ in range(2):
        with pytest.raises(Transient):
            fetch(url(host, path))

    assert host.asked == [f"/{path}"] * 2


def test_no_more_are_kept_than_there_can_be(host, monkeypatch):
    monkeypatch.setattr("delivery.platform.sns_certificates.MOST_KEPT", 2)
    fetch = Kept()

    for number in (0, 1, 2, 2, 0):
        fetch(url(host, f"good/{number}.pem"))

    assert host.asked == [f"/good/{number}.pem" for number in (0, 1, 2, 0)]
