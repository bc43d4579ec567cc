"""An environment as the steps see it: where it is and the secrets its services get."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from delivery.ports.aws_account import AwsAccount
from delivery.ports.registry import Registry
from delivery.ports.tls import ServerCertificate


@dataclass(frozen=True)
class EnvironmentSettings:
    """One environment of one application.

    `secrets` are variables of every service, `parts` those of single parts, each under its key in headway.yaml.
    `registry` has the images of its releases; none: the platform's own.
    `aws` is whose credentials AWS is asked with; none: those that its own programs find.
    `outputs` is what its infrastructure said of itself when it was applied last.
    `certificates` reads those of its HTTPS entry as they are now; Misconfigured when one cannot be shown to users.
    """

    app: str
    environment: str
    docker_host: str | None = None
    registry: Registry | None = None
    secrets: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    parts: Mapping[str, Mapping[str, SecretStr]] = field(default_factory=dict, repr=False)
    certificates: Callable[[], tuple[ServerCertificate, ...]] = field(default=tuple, repr=False)
    aws: AwsAccount | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def revealed_to(self, service: str) -> dict[str, str]:
        """Return the secrets of a service as variables: hand them to the target and nowhere else."""
        given = {**self.parts.get(f"services.{service}", {}), **self.secrets}
        return {variable: secret.get_secret_value() for variable, secret in given.items()}
