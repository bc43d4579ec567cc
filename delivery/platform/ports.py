"""Ports of this machine's loopback."""

import socket

from delivery.errors import Rejected


def free_port(preferred: int) -> int:
    """Return a port that nobody listens on: the preferred one, or any; Rejected when there is none."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Rejected("no free port on 127.0.0.1")
