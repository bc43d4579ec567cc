"""Which addresses of the machine the engine answers at for containers of a platform."""

from typing import NamedTuple

from delivery.changes.ledger import LABEL_APP, LABEL_ENVIRONMENT, LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect


class Published(NamedTuple):
    """A port of the machine behind which a container answers."""

    role: str
    app: str
    environment: str
    address: str
    port: int


def published_ports(platform: str) -> list[Published]:
    """Return every port that containers of the platform have on the engine's machine, and at which address."""
    found = []
    for one in connect().api.containers(filters={"label": f"{LABEL_PLATFORM}={platform}"}):
        labels = one["Labels"]
        whose = labels.get(LABEL_ROLE, ""), labels.get(LABEL_APP, ""), labels.get(LABEL_ENVIRONMENT, "")
        found += [Published(*whose, port["IP"], port["PublicPort"]) for port in one["Ports"] if port.get("PublicPort")]
    return sorted(set(found))
