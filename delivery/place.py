"""An environment as the steps see it: where it is and the secrets its services get."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr


@dataclass(frozen=True)
class Place:
    """One environment of one application; `secrets` are variables of every service."""

    app: str
    environment: str
    docker_host: str | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
