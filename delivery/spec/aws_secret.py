"""Secrets that headway.yaml names in Secrets Manager: `aws-secretsmanager:NAME#KEY`."""

import json
from dataclasses import dataclass

from delivery.errors import Misconfigured

PREFIX = "aws-secretsmanager:"


@dataclass(frozen=True)
class AwsSecretName:
    """A secret by its name or ARN, and, of one that is a JSON object, a key."""

    name: str
    key: str = ""

    def value_in(self, text: str) -> str:
        """Return the value in the text of the secret; Misconfigured, with the keys that are there, when it is not."""
        if not self.key:
            return text
        where = f"secret {self.name}"
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Misconfigured(where, f"is no JSON object, so it has no key {self.key}", f"{PREFIX}{self.name}")
        if self.key not in found:
            raise Misconfigured(where, f"has no key {self.key}", ", ".join(sorted(found)) or "it has none")
        value = found[self.key]
        return value if isinstance(value, str) else json.dumps(value)


def aws_secret_name(text: str) -> AwsSecretName | None:
    """Return the secret that a value under `secrets` names; none when it is the name of a Prefect secret block."""
    if not text.startswith(PREFIX):
        return None
    name, _, key = text.removeprefix(PREFIX).partition("#")
    return AwsSecretName(name, key)
