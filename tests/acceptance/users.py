"""Users who never send anything twice, and who notice what was cut, lost or done twice."""

import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 60  # far more than a busy machine needs
LONG_SECONDS = 100
SILENT_SECONDS = 70
PART = b"x" * 1000


@dataclass(frozen=True)
class Site:
    """Where an application is to be found, and by which name it is called."""

    port: int
    host: str | None = None
    tls: ssl.SSLContext | None = None

    def connection(self, seconds: float = PATIENCE_SECONDS) -> http.client.HTTPConnection:
        """Return a connection that is opened by the first request."""
        return _Connection(self, seconds)

    def ask(self, method: str, path: str, body: bytes | None = None, seconds: float = PATIENCE_SECONDS) -> bytes:
        """Return the body of an answer that is good; AssertionError else."""
        connection = self.connection(seconds)
        try:
            return answered(connection, method, path, body, self.headers)
        finally:
            connection.close()

    @property
    def headers(self) -> dict[str, str]:
        return {"Host": self.host} if self.host else {}


class _Connection(http.client.HTTPConnection):
    """To this machine, whatever the site is called; opened again by the next request when it was closed."""

    def __init__(self, site: Site, seconds: float) -> None:
        super().__init__("127.0.0.1", site.port, timeout=seconds)
        self._site = site

    def connect(self) -> None:
        super().connect()
        if self._site.tls:
            self.sock = self._site.tls.wrap_socket(self.sock, server_hostname=self._site.host)


def answered(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> bytes:
    """Send one request and return the body of a good answer; AssertionError else."""
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert 200 <= answer.status < 300, f"{answer.status} {content[:80]!r}"
    return content


@dataclass
class Seen:
    """What users saw: how much of each kind ended well, and a line for everything that did not."""

    good: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: str, action: Callable[[], object]) -> None:
        """Do something as a user and count how it went."""
        began = time.strftime("%H:%M:%S")
        try:
            action()
        except (AssertionError, OSError, http.client.HTTPException, ConnectionClosedError) as error:
            with self.lock:
                self.failures.append(f"{kind}, begun {began}, {time.strftime('%H:%M:%S')}: {error!r}")
        else:
            with self.lock:
                self.good[kind] = self.good.get(kind, 0) + 1

    def token(self) -> str:
        """Return a word that nobody said before."""
        word = uuid.uuid4().hex
        with self.lock:
            self.tokens.append(word)
        return word


Turn = Callable[[Site, Seen], None]


def get_anew(site: Site, seen: Seen) -> None:
    seen.count("GET, new connection", lambda: site.ask("GET", "/"))


def post_anew(site: Site, seen: Seen) -> None:
    seen.count("POST, new connection", lambda: site.ask("POST", "/say", seen.token().encode()))


def on_one_connection(site: Site, seen: Seen) -> None:
    """Ask and write some hundred times on one connection, as a program of a partner does."""

    def one(method: str, path: str, body: bytes | None) -> Callable[[], object]:
        return lambda: answered(connection, method, path, body, site.headers)

    connection = site.connection()
    try:
        for turn in range(100):
            before = len(seen.failures)
            if turn % 2:
                seen.count("POST, kept connection", one("POST", "/say", seen.token().encode()))
            else:
                seen.count("GET, kept connection", one("GET", "/", None))
            if len(seen.failures) > before:
                return
            time.sleep(PAUSE_SECONDS)
    finally:
        connection.close()


def stream(site: Site, seen: Seen) -> None:
    def read() -> None:
        lines = site.ask("GET", f"/stream?seconds={LONG_SECONDS}").split()
        assert lines[-1:] == [b"end"], f"cut after {len(lines)} lines"
        assert len(lines) == LONG_SECONDS + 1

    seen.count(f"stream of {LONG_SECONDS} s", read)


def upload(site: Site, seen: Seen) -> None:
    def send() -> None:
        connection = site.connection(seconds=2 * LONG_SECONDS)
        try:
            connection.putrequest("POST", "/upload")
            connection.putheader("Content-Length", str(LONG_SECONDS * len(PART)))
            connection.endheaders()
            for _ in range(LONG_SECONDS):
                connection.send(PART)
                time.sleep(1)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert told == {"size": LONG_SECONDS * len(PART)}, f"{answer.status} {told}"
        finally:
            connection.close()

    seen.count(f"upload of {LONG_SECONDS} s", send)


def wait_for_one_answer(site: Site, seen: Seen) -> None:
    """Ask for what takes long, once; whoever asks again does it twice."""
    path = f"/silence?seconds={SILENT_SECONDS}&token={seen.token()}"
    seen.count(f"answer after {SILENT_SECONDS} s", lambda: site.ask("GET", path, seconds=2 * SILENT_SECONDS))


def talk(site: Site, seen: Seen) -> None:
    """Hold a WebSocket that is silent for longer than a router's usual minute."""

    def hold() -> None:
        with socket.create_connection(("127.0.0.1", site.port)) as connection:
            url = f"ws://127.0.0.1:{site.port}/talk"
            with connect(url, sock=connection, ping_interval=None, proxy=None, compression=None) as web_socket:
                for silent_seconds in (0, SILENT_SECONDS, LONG_SECONDS - SILENT_SECONDS):
                    time.sleep(silent_seconds)
                    web_socket.send("hello")
                    assert json.loads(web_socket.recv(timeout=PATIENCE_SECONDS))["heard"] == "hello"

    seen.count(f"WebSocket of {LONG_SECONDS} s, idle for {SILENT_SECONDS} s", hold)


USUAL: dict[Turn, int] = {get_anew: 2, post_anew: 3, on_one_connection: 3}
LASTING: dict[Turn, int] = {stream: 3, upload: 3, wait_for_one_answer: 2, talk: 3}


@contextmanager
def users_of(site: Site, turns: dict[Turn, int]) -> Iterator[Seen]:
    """Let so many users take their turns again and again until the body ends, and wait for the last ones."""
    seen, stop = Seen(), threading.Event()

    def work(turn: Turn) -> None:
        while not stop.wait(PAUSE_SECONDS):
            turn(site, seen)

    threads = [
        threading.Thread(target=work, args=(turn,), daemon=True) for turn, users in turns.items() for _ in range(users)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * LONG_SECONDS + PATIENCE_SECONDS)
