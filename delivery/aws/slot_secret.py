"""The secrets of a slot's services: one secret of Secrets Manager, to whose keys task definitions refer."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from pydantic import SecretStr

from delivery.aws.failures import aws_errors, code_of
from delivery.aws.secrets import put_secret
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import Colour


def secret_of(settings: EnvironmentSettings, colour: Colour) -> str:
    """Return what the secret of a slot is called."""
    return f"headway/{settings.app}/{settings.environment}/{colour}"


def split(env: Mapping[str, str], hidden: Iterable[SecretStr]) -> tuple[dict[str, str], dict[str, str]]:
    """Return variables that anybody may read, and those whose values hold something that is hidden."""
    known = [one.get_secret_value() for one in hidden if one.get_secret_value()]
    secret = {name: value for name, value in env.items() if any(one in value for one in known)}
    return {name: value for name, value in env.items() if name not in secret}, secret


def keep(client: Any, name: str, values: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Keep service → variable → value in one secret, and return service → variable → `valueFrom` in a definition."""
    flat = {f"{service}.{name}": value for service, own in values.items() for name, value in own.items()}
    if not flat:
        return {service: {} for service in values}
    arn = put_secret(client, name, json.dumps(flat))
    return {service: {name: f"{arn}:{service}.{name}::" for name in own} for service, own in values.items()}


def kept_values(client: Any, name: str) -> list[SecretStr]:
    """Return all values that a secret keeps; none of one that is not there."""
    with aws_errors("secretsmanager"):
        try:
            found = client.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"]
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return []
            raise
    return [SecretStr(value) for value in json.loads(found).values()]


def forget(client: Any, name: str) -> bool:
    """Remove a secret at once, and return whether it was there."""
    with aws_errors("secretsmanager"):
        try:
            client.describe_secret(SecretId=name)
            client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return False
            raise
    return True
