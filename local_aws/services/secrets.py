"""Secrets Manager: which version is the current one, and a rotation that nobody does."""

from collections.abc import Callable
from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

CURRENT = "AWSCURRENT"
# How a service rotates a secret of its own: given the secret's ARN and the request's token.
ROTATIONS: dict[str, Callable[[str, str | None], None]] = {}
_get, _rotate = SecretsManagerBackend.get_secret_value, SecretsManagerBackend.rotate_secret


def get_secret_value(
    self: SecretsManagerBackend, secret_id: str, version_id: str | None, version_stage: str | None
) -> dict[str, Any]:
    """Return the version with the label AWSCURRENT when none is asked for: "If you don't specify either a VersionStage
    or VersionId, then Secrets Manager returns the AWSCURRENT version."

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """
    stage = version_stage if version_stage or version_id else CURRENT
    found: dict[str, Any] = _get(self, secret_id, version_id, stage)  # type: ignore[arg-type]  # none: not given
    return found


def rotate_secret(self: SecretsManagerBackend, secret_id: str, *given: Any, **named: Any) -> str:
    """Refuse when nobody would rotate: "InvalidRequestException: The secret isn't configured for rotation", among the
    errors of RotateSecret; moto takes the label AWSCURRENT away instead. A secret that a service manages is rotated by
    that service.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
    """
    secret = self.secrets.get(secret_id)
    if isinstance(secret, FakeSecret) and (rotation := ROTATIONS.get(secret.owning_service or "")):
        token = named.get("client_request_token") or (given[0] if given else None)
        rotation(secret.arn, token)
        return str(secret.to_short_dict(version_id=token or secret.default_version_id))
    arn = named.get("rotation_lambda_arn") or (given[1] if len(given) > 1 else None)
    if secret is not None and not arn and not getattr(secret, "rotation_lambda_arn", ""):
        raise InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
    return str(_rotate(self, secret_id, *given, **named))


def add() -> None:
    """Put both in place of moto's."""
    SecretsManagerBackend.get_secret_value = get_secret_value  # type: ignore[method-assign]
    SecretsManagerBackend.rotate_secret = rotate_secret  # type: ignore[method-assign]
