"""The way from a task to the local AWS: 127.0.0.1:PORT in a task is 127.0.0.1:PORT of this machine.

The server listens at the network's own address on this machine too, and the container that holds a task's network
forwards to it. So an address of the local AWS, one that is signed as well, is good in every task.
"""

import threading
from ipaddress import IPv4Network
from wsgiref.types import WSGIApplication

from werkzeug.serving import BaseWSGIServer, make_server

from delivery.docker.engine.client import connect
from local_aws.installation import current
from local_aws.network import ensure_network

FILE = "/usr/local/etc/haproxy/haproxy.cfg"
_CONFIGURATION = """\
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen aws
  bind 127.0.0.1:{port}
  server aws {gateway}:{port}
"""


class Gateway:
    """The server's second address, which there is as soon as a task needs it."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app, self._lock = app, threading.Lock()
        self._server: BaseWSGIServer | None = None

    def open(self) -> str:
        """Listen, and return the address; the network is there then."""
        with self._lock:
            address = own_address()
            if self._server is None:
                self._server = _server(address, self._app)
                threading.Thread(target=self._server.serve_forever, daemon=True, name="local-aws-gateway").start()
            return address

    def close(self) -> None:
        """Listen no more."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None


def _server(address: str, app: WSGIApplication) -> BaseWSGIServer:
    try:
        return make_server(address, current().port, app, threaded=True)
    except SystemExit as error:  # so werkzeug says that the address is taken
        raise OSError(f"{address}:{current().port} cannot be listened at") from error


def configuration(gateway: str) -> str:
    """Return what the container that holds a task's network does: forward to the local AWS."""
    return _CONFIGURATION.format(port=current().port, gateway=gateway)


def own_address() -> str:
    """Return this machine's address in the network: the engine takes the first of those that it gives away."""
    network = connect().networks.get(ensure_network(current().home))
    config = network.attrs["IPAM"]["Config"][0]
    return str(config.get("Gateway") or next(IPv4Network(config.get("IPRange") or config["Subnet"]).hosts()))
