"""What Headway's containers, networks and volumes are called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EnvironmentNames:
    """Names of everything one environment of one application has on a Docker host.

    The backbone network carries database (alias `database`), backing services (alias: their name), the router and
    every instance of both slots. A slot's own network carries only its instances, each under the alias of its
    service, so that the services of one release find each other and never the other slot.
    """

    platform: str
    app: str
    environment: str

    @property
    def backbone(self) -> str:
        """The environment's network."""
        return f"headway-{self.platform}-{self.app}-{self.environment}"

    @property
    def router(self) -> str:
        """The HAProxy container."""
        return f"{self.backbone}-router"

    @property
    def database(self) -> str:
        """The database's container and its volume."""
        return f"{self.backbone}-database"

    def backing(self, name: str) -> str:
        """A backing service's container and its volume."""
        return f"{self.backbone}-{name}"

    def slot_network(self, colour: str) -> str:
        """The network of one slot."""
        return f"{self.backbone}-{colour}"

    def instance(self, colour: str, service: str, number: int) -> str:
        """One instance of a service; numbers start at 1."""
        return f"{self.backbone}-{colour}-{service}-{number}"
