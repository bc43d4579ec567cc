"""The base of all values a delivery passes around."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,38}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, description="lower-case letters, digits, dashes")]
PATH_PATTERN = r"^/[A-Za-z0-9._~/%?&=:@+,-]*$"  # nothing that means something in the router's file
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST_PATTERN = rf"^(\*\.)?({_LABEL}\.)*{_LABEL}$"
HOST_AND_PORT_PATTERN = rf"^({_LABEL}\.)*{_LABEL}(:[0-9]{{1,5}})?$"
HostName = Annotated[str, StringConstraints(pattern=HOST_PATTERN, max_length=253)]
HttpPath = Annotated[str, StringConstraints(pattern=PATH_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Model(BaseModel):
    """A value: frozen, and strict about keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
