"""What of a platform listens where: its processes, and the ports of its containers."""

import contextlib
import ipaddress

import psutil

from delivery.docker.engine.published import Published, published_ports
from delivery.model import Model
from delivery.platform.orchestrator import Orchestrator
from delivery.platform.receiver_daemon import receiver_daemon

ROUTER, RECEIVER = "router", "hooks"


class Listener(Model):
    """A port that is answered at an address of this machine."""

    what: str
    address: str
    port: int
    as_asked: bool = False  # a router listens where headway.yaml says, the receiver where `headway hooks` was told

    @property
    def is_local(self) -> bool:
        """Whether nobody on another machine gets there."""
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def where(self) -> str:
        """Return `127.0.0.1:4200`, with an address of IPv6 in brackets."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def listeners(prefect: Orchestrator) -> list[Listener]:
    """Return where the platform's processes with their children, and its containers, are answered."""
    daemons = {"Prefect server": prefect.server, "Prefect worker": prefect.worker, "keeper": prefect.keeper}
    daemons[RECEIVER] = receiver_daemon(prefect.home)
    found = [one for what, daemon in daemons.items() for one in _of_process(what, daemon.process())]
    return found + [_of_container(one) for one in published_ports(prefect.home.identity)]


def _of_process(what: str, process: psutil.Process | None) -> list[Listener]:
    if process is None:
        return []
    found = set()
    for member in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in member.net_connections(kind="tcp"):
                if one.status == psutil.CONN_LISTEN:
                    found.add((one.laddr.ip, one.laddr.port))
    return [
        Listener(what=what, address=address, port=port, as_asked=what == RECEIVER) for address, port in sorted(found)
    ]


def _of_container(one: Published) -> Listener:
    what = f"{one.role} of {one.environment} of {one.app}" if one.environment else one.role
    return Listener(what=what, address=one.address, port=one.port, as_asked=one.role == ROUTER)
