"""The ear for load balancers: each tells every answer it gave, by a datagram to this machine in their network."""

import contextlib
import re
import socket
import threading
import time

from local_aws.agents.agent import log
from local_aws.services.cloudwatch_traffic import ANSWERS, Seen

# What configuration() of balancer_config has HAProxy say, behind the head of a line of syslog.
SAID = re.compile(rb"answered (?P<balancer>\S+) (?P<group>\S+) (?P<server>\S+) (?P<status>-?\d+) (?P<millis>-?\d+)")
NOBODY = b"<NOSRV>"
MOST_BYTES, RECEIVED_BYTES = 2048, 1 << 20


class Ear:
    """Listens from the first load balancer on."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def open(self, address: str, port: int) -> None:
        """Listen there, unless it does already."""
        if self._socket is not None:
            return
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        made.bind((address, port))
        self._socket = made
        threading.Thread(target=self._listen, args=(made,), daemon=True, name="answers").start()

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None

    def _listen(self, heard: socket.socket) -> None:
        while self._socket is heard:
            try:
                line = heard.recv(MOST_BYTES)
            except OSError:  # it was closed
                return
            if one := seen_in(line, time.time()):
                ANSWERS.append(one)
            elif line and SAID.search(line) is None and b"answered" in line:
                log.error("a load balancer said %r", line)


def seen_in(line: bytes, at: float) -> Seen | None:
    """Return what a line tells; none for another, and for a request that nobody waited for."""
    found = SAID.search(line)
    if found is None or int(found["status"]) < 0:
        return None
    has_target = found["server"] != NOBODY and found["group"].startswith(b"targetgroup/")
    group = found["group"].decode() if has_target else ""
    return Seen(at, found["balancer"].decode(), group, int(found["status"]), max(0, int(found["millis"])) / 1000)
