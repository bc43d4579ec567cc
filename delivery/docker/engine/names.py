"""What Headway's containers, networks and volumes are called."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EnvironmentNames:
    """Names of everything one environment of one application has on a Docker host.

    The backbone network carries database (alias `database`), backing services (alias: their name), the router and
    every instance of both slots, which the router finds under a short alias. A slot's own network carries only its
    instances, each under the alias of its service, so that the services of one release find each other and never the
    other slot. Names of containers, networks and volumes may be long; whatever DNS has to find has an alias, because
    a label there has at most 63 characters (RFC 1035, section 2.3.4).
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

    @property
    def archive(self) -> str:
        """What archives the database's changes, and the volume it does so into; no backing service is called so."""
        return f"{self.database}.archive"

    def backing(self, name: str) -> str:
        """A backing service's container and its volume."""
        return f"{self.backbone}-{name}"

    def slot_network(self, colour: str) -> str:
        """The network of one slot."""
        return f"{self.backbone}-{colour}"

    def instance(self, colour: str, service: str, number: int) -> str:
        """One instance of a service; numbers start at 1."""
        return f"{self.backbone}-{colour}-{service}-{number}"

    def instance_alias(self, colour: str, service: str, number: int) -> str:
        """Where the router finds the instance on the backbone; with a dot, so no backing service is called so."""
        return f"{colour}-{number}.{service}"

    def volume(self, name: str) -> str:
        """A volume of the application's services; with a dot, so no backing service's volume is called so."""
        return f"{self.backbone}.{name}"
