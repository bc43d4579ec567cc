"""What an application has on a platform: all that goes when it is removed."""

from pydantic import Field

from delivery.model import Model
from delivery.ports.belongings import Belonging


class EnvironmentRemains(Model):
    """What one environment has."""

    environment: str
    live: str = Field("", description="fingerprint of the release that is live; empty: none")
    belongings: tuple[Belonging, ...] = ()
    backups: int = Field(0, description="backups of its database that are kept outside of it")
    backups_where: str = Field("", description="the folder they are in, or what a place calls that")
    settings: str = Field("", description="name of the block with its secrets and addresses; empty: there is none")

    @property
    def counted(self) -> str:
        """What nobody misses, in numbers: `3 containers, 2 networks`."""
        kinds = [one.kind for one in self.belongings if not one.keeps]
        counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
        return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())


class Remains(Model):
    """What the platform has of one application, or of some of its environments."""

    app: str
    environments: tuple[EnvironmentRemains, ...] = ()
    repositories: tuple[str, ...] = Field((), description="of images in the registry; none while environments stay")
    whole: bool = Field(True, description="whether no environment of the application stays")

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.environments or self.repositories)
