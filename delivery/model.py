"""The base of all values a delivery passes around."""

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# No dash at the end: neither a label of DNS (RFC 1123, section 2.1) nor a repository of a registry may have one.
NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, description="lower-case letters, digits, dashes")]
# A folder in a container, not the root: every part begins with no more than one dot, so that none is `..`.
FOLDER_PATTERN = r"^(/\.?[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*)+/?$"
ContainerFolder = Annotated[str, StringConstraints(pattern=FOLDER_PATTERN)]
PATH_PATTERN = r"^/[A-Za-z0-9._~/%?&=:@+,-]*$"  # nothing that means something in the router's file
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST_PATTERN = rf"^(\*\.)?({_LABEL}\.)*{_LABEL}$"
HOST_AND_PORT_PATTERN = rf"^({_LABEL}\.)*{_LABEL}(:[0-9]{{1,5}})?$"
HostName = Annotated[str, StringConstraints(pattern=HOST_PATTERN, max_length=253)]
HttpPath = Annotated[str, StringConstraints(pattern=PATH_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


OWN_KEYS = "x-"  # what is the user's own, for anchors


class Model(BaseModel):
    """A value: frozen, and strict about keys it does not know; `x-…` are the user's own and left out, as in Compose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_own_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(str(key).startswith(OWN_KEYS) for key in value):
            return {key: one for key, one in value.items() if not str(key).startswith(OWN_KEYS)}
        return value


def hash_of(content: object) -> str:
    """Return the SHA-256 of `content` as canonical JSON, in hex."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
