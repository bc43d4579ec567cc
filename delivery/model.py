"""The base of all values a delivery passes around."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,38}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, description="lower-case letters, digits, dashes")]
PATH_PATTERN = r"^/[A-Za-z0-9._~/%?&=:@+,-]*$"  # nothing that means something in the router's file
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
