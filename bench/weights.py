"""Where the router sends traffic, read from its own runtime interface many times a second."""

import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

from docker.models.containers import Container
from docker.utils.socket import frames_iter

from delivery.programs import haproxy_values

EVERY_SECONDS = 0.02
MOST_SAMPLES = 100_000  # so that it ends in the router as well when this process was killed
END = "=end="
INSTANCE = re.compile(r"(blue|green)-\d+$")

# A connection for each look: after a reload another process answers, and the one before still tells its old weights.
_LOOK = """
read -r _
i=0
while [ ! -e /tmp/KEY ] && [ $((i=i+1)) -lt MOST ]; do
  if command -v nc >/dev/null 2>&1; then printf 'show servers state BACKEND\\n' | nc 127.0.0.1 PORT
  else bash -c 'exec 3<>/dev/tcp/127.0.0.1/PORT; printf "show servers state BACKEND\\n" >&3; cat <&3'; fi
  echo END; sleep EVERY
done
rm -f /tmp/KEY
"""

Sample = tuple[float, Mapping[str, int]]


@dataclass
class Weights:
    """The weights of every server over time, oldest first; times in seconds since 1970."""

    samples: list[Sample] = field(default_factory=list)

    def share(self, colour: str) -> float:
        """Return what percent of new requests a slot gets now."""
        return _share(self.samples[-1][1], colour) if self.samples else 0.0

    def since(self, colour: str, percent: float) -> float | None:
        """Return when the slot was first seen with so much, or more."""
        return next((at for at, weights in self.samples if _share(weights, colour) >= percent), None)

    def gone_at(self, colour: str) -> float | None:
        """Return when the slot that had some traffic was seen without any, for good; none when it still has some."""
        gone: float | None = None
        had_some = False
        for at, weights in self.samples:
            has_some = _share(weights, colour) > 0
            had_some |= has_some
            gone = None if has_some or not had_some else (gone or at)
        return gone


@contextmanager
def watched(router: Container, backend: str) -> Iterator[Weights]:
    """Yield weights that are kept up to date until the body ends."""
    key, found = f"bench-{uuid4().hex}", Weights()
    script = _LOOK
    for word, value in (
        *(("KEY", key), ("MOST", str(MOST_SAMPLES)), ("BACKEND", backend)),
        *(("PORT", str(haproxy_values.RUNTIME_PORT)), ("END", END), ("EVERY", str(EVERY_SECONDS))),
    ):
        script = script.replace(word, value)
    reader = threading.Thread(target=_read, args=(_start(router, script), found), daemon=True)
    reader.start()
    try:
        yield found
    finally:
        router.exec_run(["touch", f"/tmp/{key}"], user="0")
        reader.join(10)


def _start(router: Container, script: str) -> Iterator[bytes]:
    """Start it; it waits for a line, because the SDK drops what comes together with the engine's answer."""
    assert router.client
    api = router.client.api
    created = api.exec_create(router.id, ["sh", "-c", script], stdin=True, user="0")["Id"]
    wrapper = api.exec_start(created, socket=True)
    connection = cast(socket.socket, getattr(wrapper, "_sock", wrapper))
    connection.settimeout(None)
    connection.sendall(b"\n")
    return (content for _, content in frames_iter(connection, tty=False))  # type: ignore[no-untyped-call]


def _read(stream: Iterator[bytes], found: Weights) -> None:
    text = ""
    for chunk in stream:
        text += chunk.decode(errors="replace")
        while END in text:
            answer, _, text = text.partition(END)
            if weights := parse_state(answer.splitlines()):  # none in the moment of a reload
                found.samples.append((time.time(), weights))


def parse_state(lines: Sequence[str]) -> dict[str, int]:
    """Return server → weight from the answer to `show servers state` (HAProxy management guide, 9.3)."""
    names: list[str] = []
    weights: dict[str, int] = {}
    for line in lines:
        if line.startswith("# be_id"):
            names = line[2:].split()
        elif names and line.strip():
            row = dict(zip(names, line.split(), strict=False))
            if INSTANCE.match(row["srv_name"]):  # not one that steps in only when all others are down
                weights[row["srv_name"]] = int(row["srv_uweight"])
    return weights


def _share(weights: Mapping[str, int], colour: str) -> float:
    total = sum(weights.values())
    own = sum(weight for server, weight in weights.items() if server.startswith(f"{colour}-"))
    return 100 * own / total if total else 0.0
