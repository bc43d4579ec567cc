"""What HAProxy is told of: its ports, the instances of each service, how users come in."""

from pydantic import Field

from delivery.model import Model
from delivery.ports.slots import COLOURS, Colour
from delivery.spec.health import Health

PORT = 8080  # in the container; what is published is the target's choice
TLS_PORT = 8443  # published where the target has certificates
INSIDE_PORT = 8083  # not published: users' entry for Headway and what runs beside it, never sent on to HTTPS
PROBE_PORT = 8079  # on the container's loopback: reaches one chosen instance, whatever its weight
RUNTIME_PORT = 8078  # on the container's loopback
MASTER_PORT = 8077  # on the container's loopback: leads to every process, those too that a reload has replaced
# Not published: on the environment's network they lead to one slot alone, whatever its weight.
PREVIEW_PORTS: dict[Colour, int] = {"blue": 8081, "green": 8082}
MAX_WEIGHT = 256
RETRIES, MOST_RETRIES = 5, 9
ERRORS = 2  # of connections in a row, after which an instance is down
USUAL_SECONDS = 60  # of silence on a connection where no service says more

APART = "."  # in the names of backends that only Headway asks; names of services have no dots
PROBES = f"{APART}probes"
SPARE = ".spare"
# An application too busy for its checks still answers its users, only late: when no check passes, its instances with
# traffic are asked all the same. Nobody is refused, but one that hangs may not hold all of the router's connections.
LAST = ".last"


class RouterServer(Model):
    """One instance as the router knows it."""

    colour: Colour
    number: int = Field(ge=1)
    address: str = Field(description="name of the container, which the engine's DNS resolves")
    port: int
    weight: int = Field(ge=0, le=MAX_WEIGHT)

    @property
    def name(self) -> str:
        """Its name in the backend."""
        return f"{self.colour}-{self.number}"


class Entry(Model):
    """How users come in: published ports, certificates, and the proxies that are believed."""

    port: int | None = None
    https_port: int | None = None
    certificates: tuple[str, ...] = Field((), description="files in the container; the first is for unknown names")
    trusted_proxies: tuple[str, ...] = ()


class RouterBackend(Model):
    """One service with its instances in both slots."""

    service: str
    health: Health = Health()
    prefixes: tuple[str, ...] = Field((), description="path prefixes, behind a host where one is said: shop.org/api")
    previews: dict[Colour, tuple[str, ...]] = Field({}, description="prefixes by the routes of one slot alone")
    servers: tuple[RouterServer, ...] = ()
    request_seconds: int = Field(USUAL_SECONDS, description="until the first byte of an answer, and between two")
    idle_seconds: int = Field(USUAL_SECONDS, description="of silence on an upgraded connection")
    spare: Colour | None = Field(
        None, description="the slot that steps in, whatever its weight, when the other is down"
    )

    @property
    def retries(self) -> int:
        """How often a request is tried again: until it has found all instances of a slot down, one after it reached it.

        An answer that is an error is tried as often: the promise ends at slots of four.
        """
        most = max((sum(one.colour == colour for one in self.servers) for colour in COLOURS), default=0)
        return min(max(RETRIES, ERRORS * most + 1), MOST_RETRIES)

    @property
    def spares(self) -> tuple[RouterServer, ...]:
        """The servers that step in: none where there is no other slot."""
        others = any(server.colour != self.spare for server in self.servers)
        return tuple(server for server in self.servers if server.colour == self.spare and others)
