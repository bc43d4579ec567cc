"""What was asked of the local AWS, kept: after a restart its records are as they were, with the same names and times.

Every request that changes something is written down once it is done and before it is answered, with the moment and the
seed of whatever was made up for it. Whoever got an answer finds its effect after `kill -9`; what got none left nothing.
Requests that change something are done one after the other, so that their order is that of the file.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import time_machine
from moto.moto_api._internal import mock_random

from local_aws.randomness import repeat_numbers

Answer = tuple[str, list[tuple[str, str]], bytes]
# What of a request says what it asks for; all else is about the connection.
KEPT = (
    "REQUEST_METHOD",
    "PATH_INFO",
    "RAW_URI",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "SERVER_NAME",
    "SERVER_PORT",
    "REMOTE_ADDR",
)
_replaying = threading.local()


def is_replaying() -> bool:
    """Whether what is done now was done before, so that only records are to be made."""
    return getattr(_replaying, "now", False)


@dataclass(frozen=True)
class Request:
    """One request that changed something."""

    at: float
    seed: int
    environ: dict[str, str]
    body: str  # in Base64

    def wsgi(self) -> dict[str, Any]:
        """Return it as it came."""
        body = base64.b64decode(self.body)
        return {
            **self.environ,
            "CONTENT_LENGTH": str(len(body)),
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": BytesIO(),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }


class Journal:
    """The requests that changed something, one a line of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        repeat_numbers()
        path.parent.mkdir(parents=True, exist_ok=True)

    def replay(self, answer: Callable[[dict[str, Any]], Answer]) -> int:
        """Do everything again and return how much that was; a line that was cut short by a kill was never answered."""
        count = 0
        for request in self._read():
            with self._as_then(request):
                answer(request.wsgi())
            count += 1
        self._file = self.path.open("ab")
        return count

    def do(self, environ: dict[str, Any], body: bytes, answer: Callable[[dict[str, Any]], Answer]) -> Answer:
        """Do what is asked, alone and in one moment, and return the answer; it is written down then, unless nothing
        came of it.
        """
        kept = {name: str(value) for name, value in environ.items() if name in KEPT or name.startswith("HTTP_")}
        with self._lock:
            now, seed = time.time(), int.from_bytes(os.urandom(6), "big")
            mock_random.seed(seed)
            with time_machine.travel(now, tick=False):  # however long it takes, now and when it is done again
                given = answer({**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
            if int(given[0][:3]) < 400:
                request = Request(at=now, seed=seed, environ=kept, body=base64.b64encode(body).decode())
                self._file.write(json.dumps(asdict(request)).encode() + b"\n")
                self._file.flush()
        return given

    def _read(self) -> Iterator[Request]:
        if not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield Request(**json.loads(line))
        os.truncate(self.path, whole)

    @contextmanager
    def _as_then(self, request: Request) -> Iterator[None]:
        mock_random.seed(request.seed)
        _replaying.now = True
        try:
            with time_machine.travel(request.at, tick=False):
                yield
        finally:
            _replaying.now = False
