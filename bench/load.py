"""Requests as users send them, from a process of its own: `python -m bench.load URL`, until its input ends.

The client's rules, which count more as failed than a browser shows:

* nothing is sent twice: neither this client nor the library under it tries again;
* an answer counts when its status is 200 to 299 and its body came whole, within ten seconds;
* what breaks before the first byte of an answer is `closed` when the connection had been used before (RFC 9112, 9.3.1,
  lets a client send such a request again; this one does not) and `reset` when it was new; both count as failed;
* each client waits for its answer before it asks again, and never makes up for time lost.
"""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
RELEASE_HEADER = "x-release"  # what the application under test answers with: which release it is
KEPT_FAILURES = 5000
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Kind:
    """Clients that ask alike; each begins a request every `every_seconds`, or when the one before has ended."""

    name: str
    clients: int
    every_seconds: float
    method: str = "GET"
    path: str = "/"
    kept: bool = True

    @property
    def idempotent(self) -> bool:
        """Whether a router may send it twice."""
        return self.method != "POST"


# About 340 requests a second; six requests of two seconds are in flight at every moment.
KINDS = (
    Kind("GET, kept connection", 8, 1 / 25),
    Kind("GET, new connection", 6, 1 / 15, kept=False),
    Kind("POST, kept connection", 4, 1 / 12, method="POST"),
    Kind("GET, mostly idle connection", 4, 3.0),
    Kind("GET of 2 s, kept connection", 6, 2.0, path="/slow"),
)


@dataclass(frozen=True)
class Asked:
    """One request: when it began, in seconds since 1970, how long it took and how it failed, if it did."""

    at: float
    seconds: float
    failure: str = ""
    release: str = ""


class Client:
    """One user: asks, and says how it went."""

    def __init__(self, url: str, kind: Kind, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        address = urlsplit(url)
        self.kind = kind
        self._connection = HTTPConnection(address.hostname or "", address.port, timeout=timeout_seconds)

    def ask(self) -> Asked:
        """Send one request and read its answer."""
        at, began = time.time(), time.monotonic()
        reused = self._connection.sock is not None
        release = ""
        try:
            failure, release = self._ask()
        except (OSError, HTTPException) as error:
            failure = _broken(error, reused=reused)
            self.close()
        if not self.kind.kept:
            self.close()
        return Asked(at, time.monotonic() - began, failure, release)

    def close(self) -> None:
        """End the connection; the next request opens another."""
        self._connection.close()

    def _ask(self) -> tuple[str, str]:
        body = b'{"title": "load"}' if self.kind.method == "POST" else None
        headers = {} if self.kind.kept else {"Connection": "close"}
        self._connection.request(self.kind.method, self.kind.path, body, headers)
        answer = self._connection.getresponse()
        try:
            answer.read()
        except (OSError, HTTPException) as error:
            raise _HalfAnswer from error
        failure = "" if 200 <= answer.status < 300 else f"status {answer.status}"
        return failure, answer.getheader(RELEASE_HEADER, "")


class _HalfAnswer(HTTPException):
    """The answer had begun when the connection ended."""


def _broken(error: Exception, *, reused: bool) -> str:
    if isinstance(error, _HalfAnswer):
        return "half an answer"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):  # http.client's RemoteDisconnected is one
        return "closed" if reused else "reset"
    return type(error).__name__


@dataclass
class Tally:
    """What the clients of one kind saw."""

    requests: int = 0
    failures: list[Asked] = field(default_factory=list)
    how: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def as_data(self, kind: Kind) -> dict[str, Any]:
        """Return counts and response times in milliseconds, those of answers alone."""
        ordered = sorted(self.seconds)
        times = {name: _quantile(ordered, share) for name, share in QUANTILES.items()}
        failed, closed = self.how.total(), self.how["closed"]
        counts = {"requests": self.requests, "failed": failed, "closed": closed, "how": dict(self.how)}
        return counts | {"idempotent": kind.idempotent, "latency_ms": times}


class Counts:
    """What all clients saw, by kind of request and by the release that answered."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.tallies = {kind: Tally() for kind in kinds}
        self.answered: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def add(self, kind: Kind, asked: Asked) -> None:
        """Count one request."""
        with self._lock:
            tally = self.tallies[kind]
            tally.requests += 1
            if asked.failure:
                tally.how[asked.failure] += 1
                tally.failures.append(asked)
            else:
                tally.seconds.append(asked.seconds)
            if asked.release:
                seen = self.answered.setdefault(asked.release, {"requests": 0, "first": asked.at, "last": asked.at})
                seen["requests"] += 1
                seen["first"], seen["last"] = min(seen["first"], asked.at), max(seen["last"], asked.at)

    def as_data(self) -> dict[str, Any]:
        """Return everything as JSON can hold it; of very many failures the first ones."""
        failures = [
            {"kind": kind.name, "how": one.failure, "at": one.at, "seconds": round(one.seconds, 4), "by": one.release}
            for kind, tally in self.tallies.items()
            for one in tally.failures
        ]
        failures.sort(key=lambda one: float(str(one["at"])))
        kinds = {kind.name: tally.as_data(kind) for kind, tally in self.tallies.items()}
        return {"kinds": kinds, "failures": failures[:KEPT_FAILURES], "answered": self.answered}


@contextmanager
def load_on(url: str, kinds: Sequence[Kind] = KINDS, timeout_seconds: float = TIMEOUT_SECONDS) -> Iterator[Counts]:
    """Send requests until the body ends, then wait for the answers that are due."""
    counts, stop = Counts(kinds), threading.Event()
    threads = [
        threading.Thread(target=_work, args=(Client(url, kind, timeout_seconds), number, counts, stop), daemon=True)
        for kind in kinds
        for number in range(kind.clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * timeout_seconds)


def _work(client: Client, number: int, counts: Counts, stop: threading.Event) -> None:
    kind = client.kind
    due = time.monotonic() + kind.every_seconds * (number + random.random() / 2) / kind.clients
    while not stop.wait(max(0.0, due - time.monotonic())):
        began = time.monotonic()
        counts.add(kind, client.ask())
        due = max(began + kind.every_seconds, time.monotonic())
    client.close()


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None


class LoadProcess:
    """A load that runs beside the process that measures; `counts` are there after its end."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", url],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.counts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        assert self._process.stdout
        self._process.stdout.readline()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error:
            self._process.kill()
        printed, _errors = self._process.communicate()
        if error is None:
            self.counts = json.loads(printed)


def main(url: str) -> None:
    """Send requests until standard input ends, then print what was counted as JSON."""
    with load_on(url) as counts:
        print("ready", flush=True)
        sys.stdin.read()
    print(json.dumps(counts.as_data()))


if __name__ == "__main__":
    main(sys.argv[1])
