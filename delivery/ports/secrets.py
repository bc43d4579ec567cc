"""Secrets that are kept elsewhere than in the Prefect server."""

from typing import Protocol

from pydantic import SecretStr

from delivery.spec.aws_secret import AwsSecretName


class SecretReader(Protocol):
    """Reads values of secrets by their names."""

    def read(self, name: AwsSecretName) -> SecretStr:
        """Return the value; Misconfigured when there is no such secret, or no such key in it."""
        ...
