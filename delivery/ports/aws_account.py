"""Whose credentials AWS is asked with: a value, so that whoever hands it on needs no AWS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import SecretStr

Phase = Literal["publish", "infrastructure", "migrate", "release", "backup"]
PHASES: tuple[Phase, ...] = ("publish", "infrastructure", "migrate", "release", "backup")


@dataclass(frozen=True)
class AwsAccount:
    """Credentials of one account in one region; what is none is looked for where AWS's own programs look.

    `role` is assumed with them for everything, one of `roles` instead of it for its phase. `endpoint_url` is asked
    instead of AWS; AWS_ENDPOINT_URL does the same.
    """

    region: str | None = None
    profile: str | None = None
    key_id: str | None = None
    secret_key: SecretStr | None = field(default=None, repr=False)
    session_token: SecretStr | None = field(default=None, repr=False)
    endpoint_url: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
