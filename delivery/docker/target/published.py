"""Whether a router answers where the engine was told to publish it: an engine may publish nothing and not say so."""

import contextlib
import ipaddress
import socket
import ssl

from docker.errors import DockerException

from delivery.docker.target.router import ANY_ADDRESSES, Router
from delivery.errors import Misconfigured
from delivery.waiting import until

ANSWER_SECONDS = 3.0
FOR_SECONDS = 2.0
BETWEEN_SECONDS = 0.1
# No HTTP: the router itself answers it with 400, no application is asked, and no counter of a slot moves.
_QUESTION = b"headway\r\n\r\n"
_ANSWER = b"HTTP/1."
_SCRIPT = """
if command -v nc >/dev/null 2>&1; then printf 'headway\\r\\n\\r\\n' | nc -w 3 "$0" "$1"
else exec timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"; printf "headway\\r\\n\\r\\n" >&3; cat <&3' "$0" "$1"; fi
"""


def check_published(router: Router, remote: str | None, where: str) -> None:
    """Return when the router answers at its published address, asked from here or on the engine's own machine.

    `remote` is the name of that machine when it is another one, `where` the target's place in headway.yaml. Raises
    Misconfigured when nobody answers in either way.
    """
    address = _asked(router.bind, remote)
    if until(lambda: _answers(address, router), seconds=FOR_SECONDS, every=BETWEEN_SECONDS) or _answers_there(router):
        return
    found = f"{router.bind}, where nobody answers at {bracketed(address)}:{router.port} although the router runs"
    next_step = f"set bind to an address that the machine has: ip address; ss -ltn 'sport = :{router.port}'"
    if ipaddress.ip_address(router.bind).version == 6:
        version = router.client.version().get("Version", "")
        next_step = (
            f"this engine ({version}) publishes nothing on an IPv6 address, and does not say so: set bind to an IPv4 "
            f"address, or turn IPv6 on in the engine"
        )
    raise Misconfigured(f"{where}.bind", found, "an address on which the engine publishes ports", next_step)


def bracketed(address: str) -> str:
    """Return an address as URLs write it: an IPv6 one stands in brackets."""
    return f"[{address}]" if ":" in address else address


def _asked(bind: str, remote: str | None) -> str:
    if bind not in ANY_ADDRESSES:
        return bind
    return remote or ("::1" if ":" in bind else "127.0.0.1")


def _answers(address: str, router: Router) -> bool:
    try:
        with socket.create_connection((address, router.port), ANSWER_SECONDS) as plain:
            plain.sendall(_QUESTION)
            if not plain.recv(64).startswith(_ANSWER):
                return False
        return router.https_port is None or _answers_tls(address, router.https_port)
    except OSError:
        return False


def _answers_tls(address: str, port: int) -> bool:
    """Whether a TLS handshake succeeds; whose certificate it is was seen to before."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, port), ANSWER_SECONDS) as plain, context.wrap_socket(plain) as secure:
        secure.sendall(_QUESTION)
        return secure.recv(64).startswith(_ANSWER)


def _answers_there(router: Router) -> bool:
    """Whether it answers on the engine's machine itself: its loopback, or an address behind a firewall, for example."""
    address = _asked(router.bind, None)
    with contextlib.suppress(DockerException):
        said = router.client.containers.run(
            router.container.attrs["Image"],
            entrypoint=["sh", "-c", _SCRIPT, address, str(router.port)],
            network_mode="host",
            labels=router.labels("question"),
            remove=True,
        )
        return bytes(said).startswith(_ANSWER)
    return False
