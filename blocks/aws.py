"""AWS credentials: prefect-aws's own block, handed out as a value."""

from collections.abc import Mapping
from typing import cast

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.ports.aws_account import PHASES, AwsAccount


def aws_account(block: str | None, roles: Mapping[str, str] | None = None) -> AwsAccount:
    """Return the account of an *AWS Credentials* block; without one, what AWS's own programs find.

    Raises Misconfigured when there is no such block, or `roles` name a phase that is none.
    """
    if unknown := sorted(set(roles or {}) - set(PHASES)):
        raise Misconfigured("Headway environment: aws_roles", f"{', '.join(unknown)}: no phase", ", ".join(PHASES))
    if block is None:
        return AwsAccount(roles=dict(roles or {}))
    from prefect_aws import AwsCredentials  # slow to import

    try:
        found = cast(AwsCredentials, AwsCredentials.load(block, _sync=True))  # type: ignore[call-arg]
    except ValueError as error:
        raise Misconfigured(
            f"AWS Credentials {block}", "there is no such block", next_step="make it in the Prefect UI, under Blocks"
        ) from error
    return AwsAccount(
        region=found.region_name,
        profile=found.profile_name,
        key_id=found.aws_access_key_id,
        secret_key=found.aws_secret_access_key,
        session_token=SecretStr(found.aws_session_token) if found.aws_session_token else None,
        endpoint_url=found.aws_client_parameters.endpoint_url,
        role=found.assume_role_arn,
        external_id=found.assume_role_kwargs.ExternalId,
        roles=dict(roles or {}),
    )
