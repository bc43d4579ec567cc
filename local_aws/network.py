"""The network of the local AWS on Docker, in which databases and tasks reach each other and this machine reaches them.

Half of its addresses are given away by Docker; the other half is for what has one address for good.
"""

import ipaddress
import random
import threading

import psutil
from docker.errors import APIError
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from delivery.errors import Rejected
from delivery.home import Home

ROLE, LABEL_BALANCER = "aws-network", "headway.aws.balancer"
PREFIX = 22  # a thousand addresses, half of them fixed
TRIES = 20
_LOCK = threading.Lock()


def ensure_network(home: Home) -> str:
    """Return the name of the network, which is there; its addresses are those that it had before, also when it is lost.

    Raises Rejected when no range of addresses is free.
    """
    client, name = connect(), network_name(home)
    with _LOCK:
        if client.networks.list(names=[f"^{name}$"]):
            return name
        kept = home.root / "aws" / "network"
        before = [ipaddress.IPv4Network(kept.read_text())] if kept.exists() else []
        for subnet in [*before, *(_random_subnet() for _ in range(TRIES))]:
            if not _is_taken(subnet) and _made(name, home, subnet):
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(str(subnet))
                return name
    raise Rejected(f"no range of addresses is free for the network {name}")


def network_name(home: Home) -> str:
    """Return what it is called."""
    return f"headway-{home.identity}-aws"


def free_address(home: Home, taken: set[str]) -> str:
    """Return an address of the network that Docker gives to nobody and that is not among those `taken`."""
    _, fixed = _halves(_subnet_of(connect().networks.get(ensure_network(home))))
    return next(str(one) for one in fixed.hosts() if str(one) not in taken)


def balancer_address(home: Home, arn: str, taken: set[str]) -> str:
    """Return the address for good of a load balancer: that of its container, else one that nobody has.

    It is not among those `taken`, nor is it that of another's container, which may be deleted and not gone yet. They
    come from the end, where databases never come to.
    """
    network = connect().networks.get(ensure_network(home))
    label = [f"{LABEL_PLATFORM}={home.identity}", LABEL_BALANCER]
    held = {
        one.labels[LABEL_BALANCER]: one.attrs["NetworkSettings"]["Networks"][network.name]["IPAMConfig"]["IPv4Address"]
        for one in connect().containers.list(all=True, filters={"label": label}, ignore_removed=True)
    }
    if arn in held:
        return str(held[arn])
    _, fixed = _halves(_subnet_of(network))
    return next(str(one) for one in reversed(list(fixed.hosts())) if str(one) not in {*taken, *held.values()})


def is_in_network(home: Home, address: str) -> bool:
    """Whether the network, which is there, has such an address."""
    return ipaddress.ip_address(address) in _subnet_of(connect().networks.get(ensure_network(home)))


def _subnet_of(network: Network) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(network.attrs["IPAM"]["Config"][0]["Subnet"])


def _halves(subnet: ipaddress.IPv4Network) -> tuple[ipaddress.IPv4Network, ipaddress.IPv4Network]:
    given, fixed = subnet.subnets(1)
    return given, fixed


def _random_subnet() -> ipaddress.IPv4Network:
    which = random.randrange(2 ** (PREFIX - 10))  # noqa: S311  # not a secret
    return ipaddress.IPv4Network((int(ipaddress.IPv4Address("10.64.0.0")) + which * 2 ** (32 - PREFIX), PREFIX))


def _is_taken(subnet: ipaddress.IPv4Network) -> bool:
    """Whether this machine has an address in it."""
    own = [one.address for listed in psutil.net_if_addrs().values() for one in listed if one.family.name == "AF_INET"]
    return any(ipaddress.ip_address(one) in subnet for one in own)


def _made(name: str, home: Home, subnet: ipaddress.IPv4Network) -> bool:
    pool = IPAMPool(subnet=str(subnet), iprange=str(_halves(subnet)[0]))
    try:
        connect().networks.create(
            name,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[pool]),
            labels={LABEL_PLATFORM: home.identity, LABEL_ROLE: ROLE},
            check_duplicate=True,
        )
    except APIError as error:
        if error.status_code == 409:  # somebody else made it meanwhile
            return True
        if "overlaps" in str(error.explanation):
            return False
        raise
    return True
