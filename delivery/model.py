"""The base of all values a delivery passes around."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# No dash at the end: neither a label of DNS (RFC 1123, section 2.1) nor a repository of a registry may have one.
NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, description="lower-case letters, digits, dashes")]
# A folder in a container, not the root: every part begins with no more than one dot, so that none is `..`.
FOLDER_PATTERN = r"^(/\.?[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*)+/?$"
ContainerFolder = Annotated[str, StringConstraints(pattern=FOLDER_PATTERN)]
PATH_PATTERN = r"^/[A-Za-z0-9._~/%?&=:@+,-]*$"  # nothing that means something in the router's file
HttpPath = Annotated[str, StringConstraints(pattern=PATH_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Model(BaseModel):
    """A value: frozen, and strict about keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
